-- Applications and environments: whether they are archived.

create function trimtab_archived(app text, env text) returns boolean language sql stable parallel safe as $$
    select exists (select from apps where apps.app_id = app and archived_at is not null)
        or exists (
            select from environments
            where environments.app_id = app and environments.environment = env and archived_at is not null)
$$;
