-- The installation's revision, the last one committed by moment $1, and whether that moment is still ahead.
select
    installation.revision,
    case when $1::timestamptz is not null then trimtab_revision_at($1) end as then_,
    coalesce($1 > greatest(clock_timestamp(), installation.committed_at), false) as ahead
from installation
