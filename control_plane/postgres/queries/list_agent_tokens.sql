-- The agent tokens of an app/environment that are not revoked.
select id, app_id, environment, description, created_at, created_by
from credentials
where app_id = $1 and environment = $2 and revoked_at is null
order by created_at, id
