-- Stored changes of which operations should be sealed otherwise; at most $1.
select id, operations, positions from trimtab_outdated_changes($1)
