-- What happened to rollout $1 before event $2, newest first.
select seq, at, action, principal, phase, step, revision, detail
from rollout_events where rollout_id = $1 and seq < $2 order by seq desc limit $3
