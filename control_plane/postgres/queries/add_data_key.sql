-- Keep a data key, unless its place has one by now.
insert into data_keys (id, purpose, app_id, environment, wrapped, encrypted_by) values ($1, $2, $3, $4, $5, $6)
on conflict do nothing
