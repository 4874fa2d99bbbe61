-- Keep a new agent token, if its app/environment is registered.
with created as (
    insert into credentials (role, token_hash, keyed, app_id, environment, description, created_by)
    select 'agent', $3, $6, app_id, environment, $4, $5::jsonb ->> 'principal' from environments where app_id = $1 and environment = $2
    returning id, app_id, environment, description, created_at, created_by
),
audited as (
    select trimtab_audit($5::jsonb, 'agent-token.created', 'agent-token:' || id, jsonb_build_object(
        'id', id, 'app_id', app_id, 'environment', environment, 'description', description
    )) from created
)
select created.* from created, audited
