-- Make or alter a schema; $1 says who, $2 how.
select trimtab_put_schema($1::jsonb, $2::jsonb) as done
