-- Configs after a position ($1, $2, $3) in which all words $4 are found, at most $5 of the next $6 entries.
-- Fields are looked into as $7 says; $8, $9 and $10 narrow by application, environment and kind; archived ones if $11.
--
-- Nothing is kept for searching, which would cost every commit: the entries are read, so many at a time. `ends_at` is
-- where this reading ended, null at the end of all; it is told even if nothing was found.
with stop as (
    select array[app_id, environment, key] as ends_at from configs
    where (app_id, environment, key) > ($1, $2, $3)
        and ($8::text is null or app_id = $8) and ($9::text is null or environment = $9)
    order by app_id, environment, key
    offset $6::integer - 1 limit 1
),
bound as (
    select coalesce((select ends_at from stop), array['~', '', '']) as at -- '~' comes after every name
),
found as (
    select * from configs
    where (app_id, environment, key) > ($1, $2, $3)
        and (app_id, environment, key) <= (select at[1] collate "C", at[2] collate "C", at[3] collate "C" from bound)
        and ($8::text is null or app_id = $8) and ($9::text is null or environment = $9)
        and ($10::text is null or kind = $10)
        and not deleted
        and ($11 or app_id <> all (array(select app_id from apps where archived_at is not null)))
        and ($11 or (app_id, environment) not in (
            select e.app_id, e.environment from environments as e where e.archived_at is not null))
        and lower(concat_ws(E'\n',
            case when 'key' = any ($7::text[]) then key end,
            case when 'description' = any ($7) then description end,
            case when 'owner' = any ($7) then owner end,
            case when 'label' = any ($7) then labels::text end,
            case when 'value' = any ($7) and not sensitive then value::text end
        )) like all (array(select trimtab_pattern(word) from unnest($4::text[]) as word))
    order by app_id, environment, key
    limit $5
)
select
    (select ends_at from stop) as ends_at, found.id, found.app_id, found.environment, found.key, found.kind,
    found.sensitive, found.owner, found.version, found.revision, found.updated_at, found.updated_by, matches.found as matches
from (select) as once
left join found on true
left join lateral (
    select jsonb_object_agg(field, around) as found
    from (values
        ('key', found.key), ('description', found.description), ('owner', found.owner), ('label', found.labels::text),
        ('value', case when not found.sensitive then found.value::text end)
    ) as contents(field, content)
    cross join lateral trimtab_around(content, $4) as around
    where field = any ($7) and around is not null
) as matches on true
order by found.app_id, found.environment, found.key
