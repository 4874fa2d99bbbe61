-- An API key that is not revoked.
select id, name, role, description, created_at, created_by, expires_at, hint, addresses, rotated_at, former_until,
    last_used_at, last_used_from
from credentials
where id = $1 and name is not null and revoked_at is null
