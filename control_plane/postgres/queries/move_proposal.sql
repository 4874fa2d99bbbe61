-- Let something happen to a stored change, if it is still as it was read.
select trimtab_move($1::jsonb)
