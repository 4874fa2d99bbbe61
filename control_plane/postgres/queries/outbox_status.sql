-- How many messages are unpublished, and for how many seconds the oldest one is.
select
    count(*) as depth,
    coalesce(greatest(extract(epoch from clock_timestamp() - min(committed_at)), 0), 0)::float8 as oldest_age
from outbox where published_at is null
