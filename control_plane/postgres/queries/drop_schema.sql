-- Take a schema away.
select trimtab_drop_schema($1::jsonb, $2, $3) as done
