-- Register an application, unless it is registered already (then no row comes back).
with created as (
    insert into apps (app_id, description, created_by) values ($1, $2, $3::jsonb ->> 'principal')
    on conflict do nothing
    returning app_id, description, created_at
),
audited as (
    select trimtab_audit(
        $3::jsonb, 'app.created', trimtab_scope($1, ''), jsonb_build_object('app_id', $1::text, 'description', $2::text)
    ) from created
)
select
    created.*, null::timestamptz as archived_at, '{}'::text[] as environments, '{}'::text[] as archived_environments
from created, audited
