-- What committing waves of drafts would do.
select trimtab_rehearse($1::jsonb)
