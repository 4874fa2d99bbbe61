-- How many keys, and bytes of keys and values, the effective snapshot of each environment of applications $1 (null: of
-- all) has: what stands globally, and what each more specific entry adds to that or takes away from it.
with live as materialized (
    select
        app_id, environment, key, (kind <> 'mask')::integer as keys,
        case when kind = 'mask' then 0 else length(key) + octet_length(value::text)
            + coalesce(octet_length(rollout::text), 0) end as bytes
    from configs where not deleted and kind <> 'inherit' and ($1::text[] is null or app_id = '' or app_id = any($1))
),
global_size as (
    select coalesce(sum(keys), 0) as keys, coalesce(sum(bytes), 0) as bytes from live where app_id = ''
),
app_size as (
    select a.app_id, sum(a.keys - coalesce(g.keys, 0)) as keys, sum(a.bytes - coalesce(g.bytes, 0)) as bytes
    from live as a left join live as g on g.app_id = '' and g.key = a.key
    where a.app_id <> '' and a.environment = ''
    group by a.app_id
),
environment_size as (
    select
        e.app_id, e.environment,
        sum(e.keys - coalesce(a.keys, g.keys, 0)) as keys, sum(e.bytes - coalesce(a.bytes, g.bytes, 0)) as bytes
    from live as e
    left join live as a on a.app_id = e.app_id and a.environment = '' and a.key = e.key
    left join live as g on g.app_id = '' and g.key = e.key
    where e.environment <> ''
    group by e.app_id, e.environment
)
select
    registered.app_id, registered.environment,
    (g.keys + coalesce(a.keys, 0) + coalesce(e.keys, 0))::bigint as keys,
    (g.bytes + coalesce(a.bytes, 0) + coalesce(e.bytes, 0))::bigint as bytes
from environments as registered
cross join global_size as g
left join app_size as a on a.app_id = registered.app_id
left join environment_size as e on e.app_id = registered.app_id and e.environment = registered.environment
where $1::text[] is null or registered.app_id = any($1)
