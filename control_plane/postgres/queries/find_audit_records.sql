-- At most $4 audit records between $2 and $3 that have what $1 wants, newest first, cut where they become too much for one
-- answer ($5 bytes, as stored). `found` is how many there were before the cut.
select * from (
    select
        record.*, count(*) over () as found,
        sum(pg_column_size(record.detail)) over (order by record.seq desc) - pg_column_size(record.detail) as ahead
    from trimtab_audit_find($1::jsonb, $2, $3, $4, 'desc') as record
) as listed
where ahead < $5
order by seq desc
