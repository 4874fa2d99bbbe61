-- Stored changes, newest first, before ($1, $2).
select * from trimtab_proposals(array(
    select id from changes
    where created_at is not null and (created_at, id) < ($1::timestamptz, $2::uuid)
        and ($4::text is null or state = $4)
        and ($5::text is null or author = $5)
        and labels @> $6::jsonb and labels ?& $8::text[]
        and ($7::text is null or exists (
            select from jsonb_array_elements(operations) as each where each ->> 'app_id' = $7
        ) or exists (select from change_scopes as s where s.revision = changes.revision and s.app_id = $7))
    order by created_at desc, id desc
    limit $3
), false, false)
