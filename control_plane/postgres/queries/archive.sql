-- Archive or unarchive an application or an environment; false if it is not registered.
select trimtab_archive($5::jsonb, $1, $2, $3, $4::jsonb)
