-- Commit waves of drafts: one round trip, one transaction.
select trimtab_commit($1::jsonb)
