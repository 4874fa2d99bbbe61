-- Keep a new account with a password, unless its name is another's (then no row comes back).
with created as (
    insert into users (name, display_name, password_hash, password_changed_at, created_by)
    values ($1, $2, $3, clock_timestamp(), $4::jsonb ->> 'principal')
    on conflict (name) do nothing
    returning id, name, display_name, issuer is not null as external, generation, created_at, created_by, disabled_at, password_changed_at, last_login_at
),
audited as (
    select trimtab_audit($4::jsonb, 'user.created', 'user:' || name, jsonb_build_object(
        'id', id, 'display_name', display_name
    )) from created
)
select created.* from created, audited
