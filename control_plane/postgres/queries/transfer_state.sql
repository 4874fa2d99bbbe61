-- What stands under some keys ($3) of some scopes ($1 applications, $2 environments, '' for none), tombstones and
-- sensitive values too.
select
    c.app_id, c.environment, c.key, c.kind, c.value, c.sensitive, c.description, c.owner, c.labels, c.revision,
    c.deleted, c.id, c.version
from unnest($1::text[], $2::text[], $3::text[]) as named(app_id, environment, key)
join configs as c on c.app_id = named.app_id and c.environment = named.environment and c.key = named.key
