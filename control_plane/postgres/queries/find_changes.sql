-- Committed changes before revision $1, of author $3, with some labels, that touched a scope of application $6.
select * from trimtab_change_records(array(
    select c.revision from changes as c
    where c.revision < $1 and ($3::text is null or c.author = $3) and c.labels @> $4::jsonb and c.labels ?& $5::text[]
        and ($6::text is null
            or exists (select from change_scopes as s where s.revision = c.revision and s.app_id = $6))
    order by c.revision desc limit $2
))
