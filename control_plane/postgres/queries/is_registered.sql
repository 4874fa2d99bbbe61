-- Whether an application, and an environment of it, are registered.
select
    exists (select from apps where app_id = $1) as app,
    exists (select from environments where app_id = $1 and environment = $2) as environment
