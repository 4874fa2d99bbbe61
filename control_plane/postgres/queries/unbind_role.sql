-- Take a grant away.
select trimtab_unbind($1, $2::jsonb)
