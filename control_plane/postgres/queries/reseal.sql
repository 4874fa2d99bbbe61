-- Put newly sealed values in the place of old ones.
select trimtab_reseal($1::jsonb)
