-- End the tokens of subject $1 that were issued until now, or will be for $5. Their times are whole seconds.
with added as (
    insert into revocations as known (subject, before, reason, revoked_by)
    values ($1, date_trunc('second', clock_timestamp()) + interval '1 second' + $5::interval, $2, $3::jsonb ->> 'principal')
    on conflict (subject) do update set
        before = greatest(known.before, excluded.before), reason = excluded.reason, revoked_by = excluded.revoked_by
    returning subject, before, reason, revoked_by
),
forgotten as (delete from revocations where before < clock_timestamp() - $4::interval)
select added.*, trimtab_audit(
    $3::jsonb, 'token.revoked', added.subject, jsonb_build_object('before', trimtab_instant(added.before), 'reason', $2::text))
from added
