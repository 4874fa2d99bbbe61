-- The credential of this name that is neither revoked nor expired.
select id, role, name, app_id, environment, addresses, keyed, expires_at from credentials
where name = $1 and revoked_at is null and (expires_at is null or expires_at > clock_timestamp())
