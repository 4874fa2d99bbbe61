-- Encrypt the private half of signing key $1 by another key-encryption key.
update signing_keys set private = $2, encrypted_by = $3 where kid = $1
