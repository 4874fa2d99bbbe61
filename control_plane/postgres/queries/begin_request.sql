-- Claim an Idempotency-Key; a row comes back if it is free, or if the same request abandoned it $4 seconds ago.
insert into idempotency_keys as kept (author, key, request_hash, result, created_at)
values ($1, $2, $3, '{}', clock_timestamp())
on conflict (author, key) do update set created_at = clock_timestamp()
where kept.result = '{}'
    and kept.request_hash = excluded.request_hash
    and kept.created_at < clock_timestamp() - make_interval(secs => $4)
returning 1
