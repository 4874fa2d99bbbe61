-- What is at hand now, and which of the places ($1 applications, $2 environments, '' for none) are registered.
select
    i.id, i.revision,
    array(
        select array[w.app_id, w.environment]
        from unnest($1::text[], $2::text[]) as w(app_id, environment)
        where case
            when w.app_id = '' then true
            when w.environment = '' then exists (select from apps as a where a.app_id = w.app_id)
            else exists (
                select from environments as e where e.app_id = w.app_id and e.environment = w.environment)
        end
    ) as registered
from installation as i
