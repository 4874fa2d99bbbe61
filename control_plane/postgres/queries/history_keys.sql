-- The keys that ever stood in the scopes of $1 and $2, after key $3, that begin with $4, at most $5 of them.
-- Each scope gives its own first ones, in the order of an index.
select distinct found.key
from unnest($1::text[], $2::text[]) as place(app_id, environment)
cross join lateral (
    select configs.key from configs
    where configs.app_id = place.app_id and configs.environment = place.environment and configs.key > $3
        and configs.key >= $4 and configs.key < $4 || U&'\+10FFFF'
    order by configs.key
    limit $5
) as found
order by found.key
limit $5
