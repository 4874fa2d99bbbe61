-- The credential of a token that is not revoked.
select id, role, app_id, environment from credentials where token_hash = $1 and revoked_at is null
