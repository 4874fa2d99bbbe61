-- What is known of the request that has an Idempotency-Key.
select request_hash, result from idempotency_keys where author = $1 and key = $2
