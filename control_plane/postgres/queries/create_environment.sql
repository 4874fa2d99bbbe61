-- Register an environment of an application, unless there is no such application that is not archived,
-- or it is registered already.
with created as (
    insert into environments (app_id, environment, created_by)
    select app_id, $2, $3::jsonb ->> 'principal' from apps where app_id = $1 and archived_at is null
    on conflict do nothing
    returning app_id
),
audited as (
    select trimtab_audit(
        $3::jsonb, 'environment.created', trimtab_scope($1, $2),
        jsonb_build_object('app_id', $1::text, 'environment', $2::text)
    ) from created
)
select created.app_id from created, audited
