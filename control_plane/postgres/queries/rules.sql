-- Everything that changes are checked against, at one instant.
select
    installation.rules_revision as revision,
    coalesce((select jsonb_agg(trimtab_schema(schemas) order by app_id, pattern) from schemas), '[]') as schemas,
    coalesce((
        select jsonb_agg(jsonb_build_array(e.app_id, e.environment) order by e.app_id, e.environment)
        from environments as e join apps as a on a.app_id = e.app_id
        where e.archived_at is null and a.archived_at is null
    ), '[]') as environments,
    coalesce((select jsonb_agg(document || jsonb_build_object(
        'id', id, 'name', name, 'pattern', pattern, 'version', version, 'created_at', trimtab_instant(created_at),
        'created_by', created_by, 'updated_at', trimtab_instant(updated_at), 'updated_by', updated_by
    ) order by name) from policies), '[]') as policies
from installation
