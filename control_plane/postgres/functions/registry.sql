-- Applications and environments: put away, brought back, and gone. An environment '' stands for the whole application.

-- Whether nothing may be written to a scope, because its application or its environment is archived.
create function trimtab_archived(app text, env text) returns boolean language sql stable parallel safe as $$
    select exists (select from apps where apps.app_id = app and archived_at is not null)
        or exists (
            select from environments
            where environments.app_id = app and environments.environment = env and archived_at is not null)
$$;

-- Since when an application or environment is archived itself; no row if it is not registered.
create function trimtab_registration(app text, env text) returns table (archived_at timestamptz)
language sql stable parallel safe as $$
    select apps.archived_at from apps where apps.app_id = app and env = ''
    union all
    select environments.archived_at from environments where environments.app_id = app and environments.environment = env
$$;

create function trimtab_set_archived(app text, env text, moment timestamptz) returns void language sql as $$
    update apps set archived_at = moment where app_id = app and env = '';
    update environments set archived_at = moment where app_id = app and environment = env;
$$;

-- Archive (`away`) or unarchive. False if there is no such thing; what is so already stays so, and is not audited again.
create function trimtab_archive(who jsonb, app text, env text, away boolean, detail jsonb) returns boolean
language plpgsql as $$
declare
    known record;
begin
    perform trimtab_lock();
    select * into known from trimtab_registration(app, env);
    if not found then
        return false;
    end if;
    if (known.archived_at is not null) <> away then
        perform trimtab_set_archived(app, env, case when away then clock_timestamp() end);
        perform trimtab_audit(
            who, case env when '' then 'app.' else 'environment.' end || case when away then 'archived' else 'unarchived' end,
            trimtab_scope(app, env),
            jsonb_strip_nulls(jsonb_build_object('app_id', app, 'environment', nullif(env, ''))) || detail
        );
    end if;
    return true;
end
$$;

-- Every live entry of an application or environment, as operations that take it away.
create function trimtab_clearing(app text, env text) returns jsonb language sql stable as $$
    select jsonb_agg(jsonb_build_object(
        'op', case kind when 'mask' then 'unmask' else 'delete' end,
        'app_id', app_id, 'environment', environment, 'key', key, 'value_digest', 0
    ) order by environment, key)
    from configs where app_id = app and (env = '' or environment = env) and not deleted
$$;

-- Delete an application with its environments, or one environment: its entries by one change, then its registration and
-- its tokens (and an application's schemas), all of it in this one transaction. What was ever there stays readable: tombstones, versions, changes.
-- Returns {revision, entries, environments, tokens}, or why not: {state, detail} as `trimtab_refusal` does.
create function trimtab_delete(who jsonb, app text, env text, message text, detail jsonb) returns jsonb
language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
    head installation;
    application timestamptz;
    own timestamptz;
    operations jsonb;
    done record;
    gone jsonb;
    pairs text[];
    tokens bigint;
    size bigint;
    rules jsonb;
begin
    head := trimtab_lock();
    select archived_at into application from apps where app_id = app;
    select archived_at into own from trimtab_registration(app, env);
    if not found then
        return jsonb_build_object('state', 'TT404', 'detail', case
            when env <> '' and exists (select from apps where app_id = app)
                then jsonb_build_object('kind', 'environment', 'name', app || '/' || env)
            else jsonb_build_object('kind', 'application', 'name', app) end);
    end if;
    if coalesce(own, application) is null and not (detail ? 'forced') then
        return jsonb_build_object('state', 'TT409', 'detail', jsonb_build_object(
            'reason', 'not-archived', 'scope', trimtab_scope(app, env)));
    end if;

    gone := jsonb_build_object('entries', 0);
    operations := trimtab_clearing(app, env);
    if operations is not null then
        select sum(octet_length(value::text)) into size from configs
        where app_id = app and (env = '' or environment = env) and not deleted;
        if size > 100 * 1024 * 1024 then -- the audit record holds them all, and must stay below 256 MB
            return jsonb_build_object('state', 'TT409', 'detail', jsonb_build_object(
                'reason', 'too-large', 'scope', trimtab_scope(app, env), 'bytes', size));
        end if;
        -- Nothing is written to what is archived, but by this: nobody else sees the moment in which it is not.
        update apps set archived_at = null where app_id = app;
        update environments set archived_at = null where app_id = app and (env = '' or environment = env);
        done := trimtab_apply(head, jsonb_build_array(jsonb_build_object(
            'id', gen_random_uuid(), 'author', who ->> 'principal', 'message', message, 'who', who, 'labels', '{}'::jsonb,
            'request_hash', '', 'linked', '[]'::jsonb, 'operations', operations, -- nobody else saw what stood there
            'forced', jsonb_build_object('reason', message) -- so that rollouts of these entries end
        )), null);
        head := done.head;
        if done.answers[1] ? 'state' then
            raise exception 'clearing % was refused: %', trimtab_scope(app, env), done.answers[1] ->> 'state';
        end if;
        update installation set
            revision = head.revision, committed_at = head.committed_at,
            audit_seq = head.audit_seq, audit_hash = head.audit_hash;
        gone := jsonb_build_object('revision', head.revision, 'entries', jsonb_array_length(operations));
        perform trimtab_set_archived(app, '', application);
    end if;

    perform trimtab_end_waiting(app, env, who, clock_timestamp());
    with ended as (
        delete from credentials where app_id = app and (env = '' or environment = env) returning revoked_at
    )
    select count(*) filter (where revoked_at is null) into tokens from ended;
    with ended as (
        delete from environments where app_id = app and (env = '' or environment = env) returning environment
    )
    select coalesce(array_agg(environment order by environment), '{}') into pairs from ended;
    with ended as (
        delete from schemas where app_id = app and env = '' returning schemas.*
    )
    select jsonb_agg(trimtab_schema(ended::schemas) order by id) into rules from ended;
    if rules is not null then
        update installation set rules_revision = rules_revision + 1;
        detail := detail || jsonb_build_object('schemas', rules);
    end if;
    delete from apps where app_id = app and env = '';

    gone := gone || jsonb_build_object('environments', pairs, 'tokens', tokens);
    perform trimtab_audit(
        who, case env when '' then 'app.deleted' else 'environment.deleted' end, trimtab_scope(app, env),
        jsonb_strip_nulls(jsonb_build_object('app_id', app, 'environment', nullif(env, ''))) || gone || detail
    );
    return gone;
end
$$;
