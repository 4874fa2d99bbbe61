-- Store what happens to a rollout without any change.
select trimtab_store_rollout($1::jsonb, $2::jsonb)
