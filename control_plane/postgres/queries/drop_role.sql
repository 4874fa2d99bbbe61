-- Forget a role.
select trimtab_drop_role($1, $2::jsonb)
