-- Make an API key stop working.
with revoked as (
    update credentials set revoked_at = clock_timestamp()
    where id = $1 and name is not null and revoked_at is null
    returning id, name, role
),
audited as (
    select trimtab_audit($2::jsonb, 'api-key.revoked', 'api-key:' || name, jsonb_build_object(
        'id', id, 'name', name, 'role', role
    )) from revoked
)
select revoked.id from revoked, audited
