-- The live entries, and the deleted secrets, of the keys that are like $1, of the global scope and of application $2 (null: of all).
select
    installation.revision as head,
    c.id, c.app_id, c.environment, c.key, c.kind, c.value, c.rollout, c.sensitive, c.version, c.revision, c.deleted
from installation left join configs as c
    on c.key like $1 and (not c.deleted or c.sensitive) and ($2::text is null or c.app_id in ('', $2))
