-- Delete at most $3 rows published (or, if $2, committed) more than $1 seconds ago.
delete from outbox where (revision, scope) in (
    select revision, scope from outbox
    where case when $2 then committed_at else published_at end
        < clock_timestamp() - make_interval(secs => $1)
    order by revision limit $3
)
