-- One config, deleted ones too. A sensitive value stays here.
select
    id, app_id, environment, key, kind, case when not sensitive then value end as value,
    case when sensitive then rollout - 'candidate' else rollout end as rollout, sensitive, description, owner, labels,
    version, revision, deleted, updated_at, updated_by
from configs where id = $1
