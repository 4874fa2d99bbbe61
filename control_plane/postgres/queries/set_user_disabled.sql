-- Disable an account, or enable it again; all sessions are over. What is so already is not recorded again.
with changed as (
    update users set disabled_at = case when $2 then clock_timestamp() end, generation = generation + 1
    where name = $1 and (disabled_at is not null) <> $2
    returning id, name, display_name, issuer is not null as external, generation, created_at, created_by, disabled_at, password_changed_at, last_login_at
),
audited as (
    select trimtab_audit(
        $3::jsonb, case when $2 then 'user.disabled' else 'user.enabled' end, 'user:' || name, jsonb_build_object('id', id)
    ) from changed
)
select changed.* from changed, audited
union all
select id, name, display_name, issuer is not null as external, generation, created_at, created_by, disabled_at, password_changed_at, last_login_at from users where name = $1 and not exists (select from changed)
