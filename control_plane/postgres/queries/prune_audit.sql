-- Take away up to $1 archived audit records; how many these were.
select trimtab_audit_prune($1)
