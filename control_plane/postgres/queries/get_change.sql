-- One committed change.
select * from trimtab_change_records(array[$1::bigint])
