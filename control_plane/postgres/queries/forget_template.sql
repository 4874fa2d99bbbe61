-- Forget the plan of this name, if it is of version $2.
select trimtab_forget_template($1, $2, $3::jsonb) as done
