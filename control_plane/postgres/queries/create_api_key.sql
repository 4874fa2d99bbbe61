-- Keep a new API key, unless its name is another's (then no row comes back). One that has expired gives its name up.
with expired as (
    update credentials set revoked_at = expires_at
    where name = $1 and revoked_at is null and expires_at <= clock_timestamp()
    returning id
),
created as (
    insert into credentials (name, role, token_hash, description, expires_at, created_by, keyed, hint, addresses)
    select $1, $2, $3, $4, $5, $6::jsonb ->> 'principal', $7, $8, $9 from (select count(*) from expired) as first_of_all
    on conflict (name) where revoked_at is null do nothing
    returning id, name, role, description, created_at, created_by, expires_at, hint, addresses, rotated_at, former_until,
        last_used_at, last_used_from
),
audited as (
    select trimtab_audit($6::jsonb, 'api-key.created', 'api-key:' || name, jsonb_build_object(
        'id', id, 'name', name, 'role', role, 'description', description, 'expires_at', trimtab_instant(expires_at),
        'addresses', addresses
    )) from created
)
select created.* from created, audited
