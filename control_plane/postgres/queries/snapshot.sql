-- What app $1 / environment $2 sees, or what changed in it since revisions $3, $4 and $5 of its three scopes: one
-- statement, so one instant. Without `since` (all null), or one that is ahead of us, only live entries.
-- No row at all: it is not registered.
with state as (
    select
        lineage.position, lineage.level, lineage.app_id, lineage.environment, lineage.since,
        coalesce(scopes.revision, 0) as revision,
        coalesce(scopes.digest, 0) as digest
    from (values
        (0, 'global', '', '', $3::bigint),
        (1, 'app', $1, '', $4::bigint),
        (2, 'environment', $1, $2, $5::bigint)
    ) as lineage(position, level, app_id, environment, since)
    left join scopes on scopes.app_id = lineage.app_id and scopes.environment = lineage.environment
),
mode as (select coalesce(bool_or(since is null or since > revision) or max(since) = 0, true) as whole from state)
select
    state.level, state.revision as scope_revision, state.digest as scope_digest, mode.whole,
    entry.id, entry.key, entry.kind, entry.value, entry.rollout, entry.sensitive, entry.version, entry.revision, entry.deleted
from environments
cross join mode
cross join state
left join lateral (
    select * from configs
    where configs.app_id = state.app_id and configs.environment = state.environment
        and configs.revision > case when mode.whole then 0 else state.since end
        and not (mode.whole and configs.deleted)
) as entry on true
where environments.app_id = $1 and environments.environment = $2
order by state.position, entry.key
