-- Make an agent token stop working.
with revoked as (
    update credentials set revoked_at = clock_timestamp()
    where id = $3 and app_id = $1 and environment = $2 and role = 'agent' and revoked_at is null
    returning id
),
audited as (
    select trimtab_audit($4::jsonb, 'agent-token.revoked', 'agent-token:' || id, jsonb_build_object(
        'id', id, 'app_id', $1::text, 'environment', $2::text
    )) from revoked
)
select revoked.id from revoked, audited
