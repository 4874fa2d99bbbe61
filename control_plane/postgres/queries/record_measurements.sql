-- Add measurements to the history of a rollout.
select trimtab_record_measurements($1, $2, $3, $4::jsonb, $5)
