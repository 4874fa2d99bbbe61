-- The ids of the key-encryption keys that something is encrypted by.
select encrypted_by from data_keys union select encrypted_by from signing_keys order by 1
