-- How things are spelled in messages and records.

-- The one spelling of a scope in messages and records.
create function trimtab_scope(app_id text, environment text) returns text
language sql immutable parallel safe as $$
    select case
        when app_id = '' then 'global'
        when environment = '' then 'app.' || app_id
        else 'env.' || app_id || '.' || environment
    end
$$;

-- A moment as text that depends on no setting of the session.
create function trimtab_instant(moment timestamptz) returns text
language sql stable parallel safe as $$
    select to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')
$$;
