-- Store a change that is not to be committed now.
select trimtab_propose($1::jsonb)
