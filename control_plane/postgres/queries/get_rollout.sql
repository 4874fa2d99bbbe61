-- One rollout.
select id, app_id, environment, key, strategy, phase, version, revision, created_at, updated_at, finished_at, document from rollouts where id = $1
