-- Make this the bootstrap operator's only token; nothing is written if it is already.
with revoked as (
    update credentials set revoked_at = clock_timestamp()
    where role = 'operator' and revoked_at is null and token_hash <> $1
    returning id
),
kept as (
    insert into credentials (role, token_hash, keyed, description, created_by)
    values ('operator', $1, $3, 'bootstrap', $2::jsonb ->> 'principal')
    on conflict (token_hash) do update set revoked_at = null where credentials.revoked_at is not null
    returning id
),
changed as (
    select (select array_agg(id) from kept) as kept, (select array_agg(id) from revoked) as revoked
)
select trimtab_audit($2::jsonb, 'operator.ensured', 'operator', jsonb_build_object('kept', kept, 'revoked', revoked))
from changed where kept is not null or revoked is not null
