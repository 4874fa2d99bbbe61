-- Rollouts before a place ($1, $2) of the list, newest first: of application $4, of scope $5/$6, of key $7, in phases $8,
-- of strategy $9. What can be long of their documents is left out.
select id, app_id, environment, key, strategy, phase, version, revision, created_at, updated_at, finished_at,
    (document - 'when' - 'asked') || '{"candidate": null}' as document
from rollouts
where (created_at, id) < ($1::text::timestamptz, $2::text::uuid)
    and ($4::text is null or app_id = $4)
    and ($5::text is null or (app_id = $5 and environment = $6))
    and ($7::text is null or key = $7)
    and ($8::text[] is null or phase = any($8))
    and ($9::text is null or strategy = $9)
order by created_at desc, id desc
limit $3
