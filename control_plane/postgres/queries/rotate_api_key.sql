-- Give an API key another secret; the one before works until $4, at once no more if that is null.
with rotated as (
    update credentials set
        former_hash = case when $4::timestamptz is null or not keyed then null else token_hash end,
        former_until = case when $4::timestamptz is null or not keyed then null else $4 end,
        token_hash = $2, keyed = $3, hint = $5, rotated_at = clock_timestamp()
    where id = $1 and name is not null and revoked_at is null and (expires_at is null or expires_at > clock_timestamp())
    returning id, name, role, description, created_at, created_by, expires_at, hint, addresses, rotated_at, former_until,
        last_used_at, last_used_from
),
audited as (
    select trimtab_audit($6::jsonb, 'api-key.rotated', 'api-key:' || name, jsonb_build_object(
        'id', id, 'name', name, 'role', role, 'former_until', trimtab_instant(former_until)
    )) from rotated
)
select rotated.* from rotated, audited
