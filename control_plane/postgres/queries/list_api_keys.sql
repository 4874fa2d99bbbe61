-- The API keys that are not revoked, with names after $1.
select id, name, role, description, created_at, created_by, expires_at, hint, addresses, rotated_at, former_until,
    last_used_at, last_used_from
from credentials
where name > $1 and revoked_at is null
order by name limit $2
