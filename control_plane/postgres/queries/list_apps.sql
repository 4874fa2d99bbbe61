-- Applications after name $1, each with its environments; archived ones only if $3.
select
    app_id, description, created_at, archived_at,
    array(select environment from environments as e where e.app_id = apps.app_id and e.archived_at is null order by environment)
        as environments,
    array(select environment from environments as e where e.app_id = apps.app_id and e.archived_at is not null order by environment)
        as archived_environments
from apps where app_id > $1 and ($3 or archived_at is null) order by app_id limit $2
