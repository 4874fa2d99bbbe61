-- Registered places in order, each with its entries: of everything, or of application $1 without the global scope.
-- Entries with nothing of their own but a rollout are left out, as rollouts are. Of everything, archived ones are left out; sensitive values come along with $2 only.
select
    place.app_id, place.environment, place.description as about,
    c.key, c.kind, case when $2 or not c.sensitive then c.value end as value, c.sensitive, c.description,
    c.owner, c.labels, c.revision, c.id, c.version
from (
    select '' as app_id, '' as environment, '' as description where $1::text is null
    union all
    select app_id, '', description from apps where app_id = $1 or ($1 is null and archived_at is null)
    union all
    select e.app_id, e.environment, ''
    from environments as e join apps as a on a.app_id = e.app_id
    where e.app_id = $1 or ($1 is null and e.archived_at is null and a.archived_at is null)
) as place
left join configs as c
    on c.app_id = place.app_id and c.environment = place.environment and not c.deleted and c.kind <> 'inherit'
order by place.app_id collate "C", place.environment collate "C", c.key
