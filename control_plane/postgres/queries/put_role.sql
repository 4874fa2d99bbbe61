-- Keep a role.
select trimtab_put_role($1, $2, $3, $4, $5, $6::jsonb)
