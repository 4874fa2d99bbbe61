-- The versions of one config before version $2, newest first, each with the change that made it.
select
    v.version, v.revision, v.op, v.kind, case when not v.sensitive then v.value end as value,
    case when v.sensitive then v.rollout - 'candidate' else v.rollout end as rollout, v.sensitive,
    changes.author, changes.message, changes.committed_at
from config_versions as v join changes on changes.revision = v.revision
where v.config_id = $1 and v.version < $2
order by v.version desc
limit $3
