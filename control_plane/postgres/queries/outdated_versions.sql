-- Versions of sensitive configs that should be sealed otherwise, after version $2 of config $1; at most $3.
select
    v.config_id as id, v.version, v.value, v.rollout, v.sensitive, v.kind, c.app_id, c.environment, c.key
from config_versions as v join configs as c on c.id = v.config_id
where v.sensitive and (v.config_id, v.version) > ($1, $2)
    and (trimtab_outdated(v.value) or trimtab_outdated(v.rollout -> 'candidate'))
order by v.config_id, v.version
limit $3
