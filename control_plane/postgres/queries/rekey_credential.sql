-- Keep a token's hash keyed from now on.
update credentials set token_hash = $1, keyed = true where token_hash = $2 and not keyed
