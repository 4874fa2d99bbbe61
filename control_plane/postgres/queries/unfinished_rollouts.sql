-- At most $1 rollouts that are neither completed nor aborted. Those of ids $2 at versions $3 come without their documents.
select
    r.id, r.app_id, r.environment, r.key, r.strategy, r.phase, r.version, r.revision, r.created_at, r.updated_at,
    r.finished_at, case when known.version = r.version then null else r.document end as document
from rollouts as r left join unnest($2::uuid[], $3::bigint[]) as known(id, version) on known.id = r.id
where r.finished_at is null
order by r.created_at, r.id
limit $1
