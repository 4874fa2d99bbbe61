-- Keep a signing key, unless there is one of its purpose ($1) and generation ($2) already. The first of a purpose comes
-- with the installation: nobody's act, so no record.
with added as (
    insert into signing_keys (purpose, generation, kid, public, private, encrypted_by, created_at, signs_from, abrupt)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $10)
    on conflict do nothing
    returning purpose, generation, kid, signs_from
)
select trimtab_audit(
    $9::jsonb, 'signing-key.created', 'signing-key:' || kid,
    jsonb_build_object('purpose', purpose, 'signs_from', trimtab_instant(signs_from))
) from added where generation > 1
