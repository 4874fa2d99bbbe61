-- Close a review that is open and was opened by somebody else; no row if it is not so.
with locked as materialized (select trimtab_lock()),
closed as (
    update reviews set closed_by = $2::jsonb ->> 'principal', closed_at = clock_timestamp(), comment = $3
    from locked
    where id = $1 and closed_at is null and opened_by <> $2::jsonb ->> 'principal'
    returning reviews.id, change_id
)
select trimtab_audit(
    $2::jsonb, 'review.closed', 'review:' || id, jsonb_build_object('change', change_id, 'comment', $3::text)
) from closed
