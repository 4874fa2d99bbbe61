-- Let the keys of all scopes encrypt nothing more.
with retired as (
    update data_keys set retired_at = clock_timestamp() where purpose = 'values' and retired_at is null returning id
)
select count(*) as retired from retired
