-- What else is live in some scopes ($1 applications, $2 environments), without its values: to be deleted, if anything.
select
    c.app_id, c.environment, c.key, c.kind, null::jsonb as value, c.sensitive, c.description, c.owner, c.labels,
    c.revision, c.deleted, c.id, c.version
from unnest($1::text[], $2::text[]) as w(app_id, environment)
join configs as c on c.app_id = w.app_id and c.environment = w.environment and not c.deleted
