-- Commit a draft: one round trip, one transaction.
select trimtab_commit($1::jsonb)
