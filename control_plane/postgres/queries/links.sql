-- What refers to what around keys $1, in the global scope and applications $3 (null: all), and the revision of that:
-- the entries of these keys and of keys $2, of all that they refer to in the end, and of all that refers to $1 in the end.
with recursive forward(key) as (
    select unnest($1::text[] || $2::text[])
    union
    select trimtab_referred(ref)
    from forward
    join configs as c on c.key = forward.key and not c.deleted and ($3::text[] is null or c.app_id = '' or c.app_id = any($3))
    cross join lateral unnest(c.refs) as ref
),
backward(key) as (
    select unnest($1::text[])
    union
    select found.key from backward cross join lateral trimtab_referring(backward.key) as found
),
around(key) as (select key from forward union select key from backward)
select installation.revision as head, c.app_id, c.environment, c.key, c.kind, c.refs
from installation left join (
    select configs.* from around join configs on configs.key = around.key
    where not configs.deleted and ($3::text[] is null or configs.app_id = '' or configs.app_id = any($3))
) as c on true
