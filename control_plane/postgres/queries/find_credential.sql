-- The credential of a token that is neither revoked nor expired: by its keyed hash, also if it was replaced and still works
-- for a while, or by its plain one, under which it lies since before there was a key.
select id, role, name, app_id, environment, addresses, keyed,
    case when former_hash = $1 then least(expires_at, former_until) else expires_at end as expires_at
from credentials
where (token_hash = $1 and keyed or token_hash = $2 and not keyed or former_hash = $1 and former_until > clock_timestamp())
    and revoked_at is null and (expires_at is null or expires_at > clock_timestamp())
