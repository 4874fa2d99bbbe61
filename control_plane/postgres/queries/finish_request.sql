-- Keep the answer to the request that claimed an Idempotency-Key.
update idempotency_keys set result = $3 where author = $1 and key = $2 and result = '{}'
