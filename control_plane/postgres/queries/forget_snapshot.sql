-- Forget the named snapshot $1; whether there was one.
select trimtab_forget_snapshot($1, $2::jsonb) as forgotten
