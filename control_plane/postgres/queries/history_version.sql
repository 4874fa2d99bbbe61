-- One version of a config, sensitive values included.
select
    c.id, c.app_id, c.environment, c.key, v.version, v.revision, v.op,
    v.kind, v.value, v.rollout, v.sensitive, changes.author, changes.message, changes.committed_at
from config_versions as v
join configs as c on c.id = v.config_id
join changes on changes.revision = v.revision
where v.config_id = $1 and v.version = $2
