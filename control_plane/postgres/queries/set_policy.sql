-- Make, replace or take away a policy.
select trimtab_set_policy($1, $2, $3::jsonb, $4, $5::jsonb)
