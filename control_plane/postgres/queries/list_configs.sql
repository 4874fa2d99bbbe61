-- Configs after a position in the order of application, environment and key. Sensitive values stay here and are not
-- searched either.
select
    id, app_id, environment, key, kind, case when not sensitive then value end as value,
    case when sensitive then rollout - 'candidate' else rollout end as rollout, sensitive, description, owner, labels,
    version, revision, deleted, updated_at, updated_by
from configs
where (app_id, environment, key) > ($1, $2, $3)
    and ($4::text is null or app_id = $4)
    and ($5::text is null or environment = $5)
    and ($6::text is null or $6 = case when app_id = '' then 'global' when environment = '' then 'app'
        else 'environment' end)
    and ($7::text is null or (key >= $7 and key < $7 || U&'\+10FFFF'))
    and ($8::text is null or strpos(lower(key || ' ' || description || ' '
        || case when sensitive then '' else coalesce(value::text, '') end), lower($8)) > 0)
    and (not deleted or $9)
    and ($11::text is null or owner = $11)
    and labels ?& $12::text[] and labels @> $13::jsonb
    and ($14 or not trimtab_archived(app_id, environment))
    and ($15::text is null or kind = $15)
order by app_id, environment, key
limit $10
