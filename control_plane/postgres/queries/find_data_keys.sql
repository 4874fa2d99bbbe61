-- The data keys $1, retired ones too.
select id, wrapped, encrypted_by from data_keys where id = any($1::uuid[])
