-- The live entries, and the deleted secrets, of keys $1, of the global scope and of applications $2 (null: of all), and the revision of that.
select
    installation.revision as head,
    c.id, c.app_id, c.environment, c.key, c.kind, c.value, c.rollout, c.sensitive, c.version, c.revision, c.deleted
from installation left join configs as c
    on c.key = any($1::text[]) and (not c.deleted or c.sensitive) and ($2::text[] is null or c.app_id = '' or c.app_id = any($2))
