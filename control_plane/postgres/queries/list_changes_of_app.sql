-- Committed changes before revision $1 that touched a scope of application $3, newest first.
select * from trimtab_change_records(array(
    select distinct revision from change_scopes where app_id = $3 and revision < $1 order by revision desc limit $2
))
