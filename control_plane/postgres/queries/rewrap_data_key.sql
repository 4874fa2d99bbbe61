-- Encrypt data key $1 by another key-encryption key.
update data_keys set wrapped = $2, encrypted_by = $3 where id = $1
