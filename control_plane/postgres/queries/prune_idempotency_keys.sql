-- Delete at most $2 keys that are more than $1 seconds old.
delete from idempotency_keys where (author, key) in (
    select author, key from idempotency_keys
    where created_at < clock_timestamp() - make_interval(secs => $1)
    order by created_at limit $2
)
