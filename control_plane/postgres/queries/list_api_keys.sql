-- The API keys that are not revoked, with names after $1.
select id, name, role, description, created_at, created_by, expires_at
from credentials
where name > $1 and revoked_at is null
order by name limit $2
