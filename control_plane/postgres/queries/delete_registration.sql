-- Delete an application or an environment with all that it holds.
select trimtab_delete($5::jsonb, $1, $2, $3, $4::jsonb)
