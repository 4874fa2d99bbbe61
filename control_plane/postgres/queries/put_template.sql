-- Keep plan $3 under the name $1, if it is of version $4.
select trimtab_put_template($1, $2, $3::jsonb, $4, $5, $6::jsonb) as done
