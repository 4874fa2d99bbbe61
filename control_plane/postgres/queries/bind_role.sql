-- Grant a role.
select trimtab_bind($1, $2, $3, $4, $5, $6::jsonb)
