-- Keep another password's hash; all sessions are over.
with changed as (
    update users set password_hash = $2, password_changed_at = clock_timestamp(), generation = generation + 1
    where name = $1 and password_hash is not null
    returning id, name, display_name, issuer is not null as external, generation, created_at, created_by, disabled_at, password_changed_at, last_login_at
),
audited as (
    select trimtab_audit($3::jsonb, 'user.password-changed', 'user:' || name, jsonb_build_object('id', id)) from changed
)
select changed.* from changed, audited
