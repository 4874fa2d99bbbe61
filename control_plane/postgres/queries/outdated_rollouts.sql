-- Rollouts whose candidates should be sealed otherwise; at most $1.
select id, app_id, environment, key, document from rollouts where trimtab_outdated(document -> 'candidate') limit $1
