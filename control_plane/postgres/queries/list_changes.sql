-- Committed changes before revision $1, newest first.
select * from trimtab_change_records(array(
    select revision from changes where revision < $1 order by revision desc limit $2
))
