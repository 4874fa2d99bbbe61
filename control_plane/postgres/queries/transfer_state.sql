-- What stands in some scopes ($1 applications, $2 environments, '' for none), tombstones and sensitive values too.
select
    c.app_id, c.environment, c.key, c.kind, c.value, c.sensitive, c.description, c.owner, c.labels, c.revision,
    c.deleted
from unnest($1::text[], $2::text[]) as w(app_id, environment)
join configs as c on c.app_id = w.app_id and c.environment = w.environment
