-- The account of somebody whom an identity provider knows, made when they first come. No row: their name is another's.
with known as (
    select id, name, display_name, issuer is not null as external, generation, created_at, created_by, disabled_at, password_changed_at, last_login_at from users where issuer = $1 and subject = $2
),
created as (
    insert into users (name, display_name, issuer, subject, created_by)
    select $3, $4, $1, $2, 'user:' || $3 where not exists (select from known)
    on conflict do nothing
    returning id, name, display_name, issuer is not null as external, generation, created_at, created_by, disabled_at, password_changed_at, last_login_at
),
audited as (
    select trimtab_audit($5::jsonb, 'user.created', 'user:' || name, jsonb_build_object(
        'id', id, 'display_name', display_name, 'issuer', $1::text, 'subject', $2::text
    )) from created
)
select known.* from known
union all
select created.* from created, audited
