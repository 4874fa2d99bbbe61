-- Rollouts that are neither completed nor aborted.
select id, app_id, environment, key, strategy, phase, version, revision, created_at, updated_at, finished_at, document from rollouts where finished_at is null order by created_at, id limit $1
