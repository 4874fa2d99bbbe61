-- Register an application, unless it is registered already (then no row comes back).
with created as (
    insert into apps (app_id, description, created_by) values ($1, $2, $3)
    on conflict do nothing
    returning app_id, description, created_at
),
audited as (
    select trimtab_audit(
        $3, 'app.created', $4, $5, jsonb_build_object('app_id', $1::text, 'description', $2::text)
    ) from created
)
select created.*, '{}'::text[] as environments from created, audited
