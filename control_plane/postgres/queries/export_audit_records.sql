-- At most $4 audit records between $2 and $3 that have what $1 wants, oldest first, as lines; no more than fill $5 bytes,
-- as stored. Also how many they are, and the number of the last one.
select
    convert_to(string_agg(trimtab_audit_line(listed.record) || E'\n', '' order by (listed.record).seq), 'UTF8') as lines,
    count(*) as count, max((listed.record).seq) as last
from (
    select
        record,
        sum(pg_column_size(record.detail)) over (order by record.seq) - pg_column_size(record.detail) as ahead
    from trimtab_audit_find($1::jsonb, $2, $3, $4, 'asc') as record
) as listed
where ahead < $5
