-- The key of purpose $1 that encrypts in the scope of $2 and $3.
select id, wrapped, encrypted_by from data_keys
where purpose = $1 and app_id = $2 and environment = $3 and retired_at is null
