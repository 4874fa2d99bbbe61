-- One stored change; with its secrets ($2) only on its way into the commit.
select * from trimtab_proposals(array[$1::uuid], true, $2)
