-- Commit one draft of one operation.
select array[trimtab_commit_one($1::jsonb)]
