-- These configs as they stood at a revision.
select * from trimtab_entries_at($1::uuid[], $2)
