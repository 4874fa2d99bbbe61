-- The data keys that are encrypted under another key-encryption key than $1.
select id, wrapped, encrypted_by from data_keys where encrypted_by <> $1 order by created_at
