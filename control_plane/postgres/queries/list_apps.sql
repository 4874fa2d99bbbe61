-- Applications after name $1, each with its environments.
select
    app_id, description, created_at,
    array(select environment from environments as e where e.app_id = apps.app_id order by environment) as environments
from apps where app_id > $1 order by app_id limit $2
