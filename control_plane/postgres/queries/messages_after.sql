-- The messages of at most $2 changes after revision $1.
select * from trimtab_messages(array(
    select revision from changes where revision > $1 order by revision limit $2
))
