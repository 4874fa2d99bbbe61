-- Give up a claim to an Idempotency-Key.
delete from idempotency_keys where author = $1 and key = $2 and result = '{}'
