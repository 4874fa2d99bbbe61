-- The one write path: a whole change in one statement, one round trip and one transaction.
--
-- Every commit locks the installation's row first and reads everything afterwards, each statement with a snapshot of
-- its own (READ COMMITTED). So commits happen one after the other, in the order of their revisions, and a commit that
-- fails has used none.

-- Identifies one state of one entry; `shared.domain.entry.entry_digest` computes the very same.
create function trimtab_entry_digest(key text, kind text, version bigint, value_digest bigint) returns bigint
language sql immutable parallel safe as $$
    -- A key is ASCII without backslashes, so its bytes are what the cast gives. (`convert_to` would do as well, but is
    -- not immutable, and then the function's body could not take the place of a call.)
    select ('x' || encode(substring(
        sha256((key || '|' || kind || '|' || version::text || '|' || value_digest::text)::bytea) from 1 for 8
    ), 'hex'))::bit(64)::bigint
$$;

-- One operation of a draft beside the entry that it meets (`old_…`; `old_version` is 0 where there never was one) and
-- the entry that it leaves (`id`, `version`, `kind`, `value`, …).
create type trimtab_step as (
    position integer,
    op text,
    app_id text,
    environment text,
    key text,
    expected_version bigint,
    given_value jsonb,
    registered_app boolean,
    registered boolean,
    old_live boolean,
    old_kind text,
    old_value jsonb,
    old_sensitive boolean,
    old_version bigint,
    old_revision bigint,
    old_updated_by text,
    old_digest bigint,
    id uuid,
    version bigint,
    kind text,
    value jsonb,
    value_digest bigint,
    sensitive boolean,
    description text,
    deleted boolean
);

-- The functions on the way of every commit are PL/pgSQL: a session plans their statements once and keeps the plans.

create function trimtab_steps(draft jsonb) returns trimtab_step[] language plpgsql as $$
declare
    steps trimtab_step[];
begin
    steps := array(select row(
        o.position - 1, o.op, o.app_id, o.environment, o.key, o.expected_version,
        case when o.op = 'put' and not n.sensitive then coalesce(o.value, 'null') end,
        o.app_id = '' or exists (select from apps as a where a.app_id = o.app_id),
        o.environment = '' or exists (
            select from environments as e where e.app_id = o.app_id and e.environment = o.environment
        ),
        coalesce(not c.deleted, false), c.kind, c.value, coalesce(c.sensitive, false),
        coalesce(c.version, 0), coalesce(c.revision, 0), c.updated_by,
        case when c.deleted then 0
            else coalesce(trimtab_entry_digest(c.key, c.kind, c.version, c.value_digest), 0) end,
        coalesce(c.id, gen_random_uuid()),
        coalesce(c.version, 0) + 1,
        n.kind,
        case when o.op = 'put' then coalesce(o.value, 'null') end,
        case when o.op = 'put' and not n.sensitive then o.value_digest else 0 end,
        n.sensitive,
        coalesce(o.description, c.description, ''),
        o.op in ('delete', 'unmask')
    )::trimtab_step
    from rows from (jsonb_to_recordset(draft -> 'operations') as (
        op text, app_id text, environment text, key text, value jsonb, value_digest bigint,
        sensitive boolean, description text, expected_version bigint
    )) with ordinality as o(
        op, app_id, environment, key, value, value_digest, sensitive, description, expected_version, position
    )
    -- The limit keeps this a look-up by index for each operation, whatever the planner thinks of the table.
    left join lateral (
        select * from configs
        where configs.app_id = o.app_id and configs.environment = o.environment and configs.key = o.key
        limit 1
    ) as c on true
    cross join lateral (
        select
            coalesce(o.sensitive, c.sensitive, false) as sensitive,
            case o.op when 'put' then 'value' when 'mask' then 'mask' else coalesce(c.kind, 'value') end as kind
    ) as n
    order by o.position);
    return steps;
end
$$;

-- An entry or a value as a conflict shows it: nothing sensitive, and nothing that is too long to be read there.
create function trimtab_shown(value jsonb, sensitive boolean) returns jsonb
language sql immutable parallel safe as $$
    select case
        when value is null or sensitive or length(value::text) > 1024 then '{}'
        else jsonb_build_object('value', value)
    end
$$;

-- Both sides of a conflict over one key.
create function trimtab_conflict(step trimtab_step) returns jsonb language sql stable parallel safe as $$
    select jsonb_build_object(
        'pointer', '/operations/' || step.position || '/key',
        'scope', trimtab_scope(step.app_id, step.environment),
        'key', step.key,
        'current', jsonb_build_object(
            'id', step.id, 'version', step.old_version, 'revision', step.old_revision, 'deleted', not step.old_live,
            'kind', step.old_kind, 'updated_by', step.old_updated_by
        ) || trimtab_shown(step.old_value, step.old_sensitive),
        'yours', jsonb_build_object('op', step.op) || trimtab_shown(step.given_value, step.sensitive or step.old_sensitive)
    )
$$;

-- Refuse what cannot be carried out. The detail of the error is a JSON document for `control_plane/postgres/errors.py`.
create function trimtab_check(steps trimtab_step[], base_revision bigint) returns void language plpgsql as $$
declare
    problem jsonb;
begin
    -- Nearly always nothing is wrong, and one look at all operations tells.
    if not exists (
        select from unnest(steps) as step
        where step.key is null or length(step.key) > 255
            or step.key !~ '^[A-Za-z0-9_][A-Za-z0-9_.-]*$'
            or not (step.registered_app and step.registered)
            or case step.expected_version
                when 0 then step.old_live else step.expected_version <> step.old_version end
            or step.old_revision > base_revision
            or case step.op when 'delete' then not step.old_live
                when 'unmask' then not step.old_live or step.old_kind <> 'mask' end
    ) and (cardinality(steps) = 1 or (
        select count(*) = count(distinct (step.app_id, step.environment, step.key)) from unnest(steps) as step
    )) then
        return;
    end if;

    select jsonb_agg(jsonb_build_object('pointer', '/operations/' || position || field, 'detail', detail)
        order by position)
    into problem
    from (
        select step.position, '/key' as field, 'is not a key' as detail
        from unnest(steps) as step where step.key is null or length(step.key) > 255
            or step.key !~ '^[A-Za-z0-9_][A-Za-z0-9_.-]*$'
        union all
        select step.position, '/key', 'stands in an earlier operation already'
        from (
            select s.position, row_number() over (partition by s.app_id, s.environment, s.key order by s.position) as nth
            from unnest(steps) as s
        ) as step where step.nth > 1
    ) as found;
    if problem is not null then
        raise exception 'invalid' using errcode = 'TT422', detail = jsonb_build_object('violations', problem);
    end if;

    select case
        when step.registered_app then jsonb_build_object(
            'kind', 'environment', 'name', step.app_id || '/' || step.environment)
        else jsonb_build_object('kind', 'application', 'name', step.app_id)
    end into problem
    from unnest(steps) as step where not (step.registered_app and step.registered) order by step.position limit 1;
    if problem is not null then
        raise exception 'not registered' using errcode = 'TT404', detail = problem;
    end if;

    select jsonb_agg(trimtab_conflict(step) order by step.position) into problem
    from unnest(steps) as step where step.expected_version = 0 and step.old_live;
    if problem is not null then
        raise exception 'exists' using errcode = 'TT409',
            detail = jsonb_build_object('reason', 'exists', 'conflicts', problem);
    end if;

    select jsonb_build_object('expected', step.expected_version, 'current', step.old_version) into problem
    from unnest(steps) as step
    where step.expected_version > 0 and step.expected_version <> step.old_version order by step.position limit 1;
    if problem is not null then
        raise exception 'version' using errcode = 'TT412', detail = problem;
    end if;

    select jsonb_agg(trimtab_conflict(step) order by step.position) into problem
    from unnest(steps) as step where step.old_revision > base_revision;
    if problem is not null then
        raise exception 'moved' using errcode = 'TT409',
            detail = jsonb_build_object('reason', 'moved', 'base_revision', base_revision, 'conflicts', problem);
    end if;

    select jsonb_agg(jsonb_build_object(
        'pointer', '/operations/' || step.position || '/key',
        'detail', case step.op
            when 'unmask' then 'is not masked in ' else 'does not exist in '
        end || trimtab_scope(step.app_id, step.environment)
    ) order by step.position) into problem
    from unnest(steps) as step
    where (step.op = 'delete' and not step.old_live)
        or (step.op = 'unmask' and not (step.old_live and step.old_kind = 'mask'));
    if problem is not null then
        raise exception 'nothing there' using errcode = 'TT422', detail = jsonb_build_object('violations', problem);
    end if;
end
$$;

-- Write the change, its entries, their versions, the scopes' new states and the outbox; returns the scopes.
create function trimtab_write(steps trimtab_step[], draft jsonb, new_revision bigint, at timestamptz) returns jsonb
language plpgsql as $$
declare
    result jsonb;
begin
    with step as materialized (select * from unnest(steps)),
    touched as (
        select
            changed.app_id, changed.environment,
            coalesce(scopes.revision, 0) as previous,
            coalesce(scopes.digest, 0) # changed.difference as digest
        from (
            select
                app_id, environment,
                bit_xor(old_digest # case when deleted then 0
                    else trimtab_entry_digest(key, kind, version, value_digest) end) as difference
            from step group by app_id, environment
        ) as changed
        left join lateral (
            select * from scopes
            where scopes.app_id = changed.app_id and scopes.environment = changed.environment
            limit 1
        ) as scopes on true
    ),
    change as (
        insert into changes (revision, author, message, source, committed_at, request_id, address)
        values (
            new_revision, draft ->> 'author', draft ->> 'message', draft ->> 'source', at,
            draft ->> 'request_id', draft ->> 'address'
        )
    ),
    entries as (
        insert into configs (
            id, app_id, environment, key, kind, value, value_digest, sensitive, description,
            version, revision, deleted, updated_at, updated_by
        )
        select
            id, app_id, environment, key, kind, value, value_digest, sensitive, description,
            version, new_revision, deleted, at, draft ->> 'author'
        from step
        on conflict (app_id, environment, key) do update set
            kind = excluded.kind, value = excluded.value, value_digest = excluded.value_digest,
            sensitive = excluded.sensitive, description = excluded.description, version = excluded.version,
            revision = excluded.revision, deleted = excluded.deleted, updated_at = excluded.updated_at,
            updated_by = excluded.updated_by
    ),
    versions as (
        insert into config_versions (config_id, version, revision, position, op, kind, value, sensitive)
        select id, version, new_revision, position, op, kind, value, sensitive from step
    ),
    states as (
        insert into scopes (app_id, environment, revision, digest)
        select app_id, environment, new_revision, digest from touched
        on conflict (app_id, environment) do update set revision = excluded.revision, digest = excluded.digest
    ),
    recorded as (
        insert into change_scopes (revision, app_id, environment, previous, digest)
        select new_revision, app_id, environment, previous, digest from touched
    ),
    queued as (
        insert into outbox (revision, scope, committed_at)
        select new_revision, trimtab_scope(app_id, environment), at from touched
    )
    select jsonb_agg(jsonb_build_object(
        'app_id', app_id, 'environment', environment, 'previous', previous, 'digest', digest
    ))
    into result
    from touched;
    return result;
end
$$;

-- An entry as an audit record holds it: with its value, unless that is sensitive.
create function trimtab_audited(kind text, value jsonb, sensitive boolean) returns jsonb
language sql stable parallel safe as $$
    select case
        when kind = 'mask' or sensitive then jsonb_build_object('kind', kind, 'sensitive', sensitive)
        else jsonb_build_object('kind', kind, 'sensitive', sensitive, 'value', value)
    end
$$;

-- Carry out a draft for good (unless the caller rolls back).
create function trimtab_apply(draft jsonb) returns jsonb language plpgsql as $$
declare
    head installation;
    steps trimtab_step[];
    scopes jsonb;
    applied jsonb;
    audited jsonb;
    earlier idempotency_keys;
    result jsonb;
    retry_key constant text := draft ->> 'idempotency_key';
    who constant text := draft ->> 'author';
begin
    head := trimtab_lock();

    if retry_key is not null then
        select * into earlier from idempotency_keys where author = who and key = retry_key;
        if found and earlier.request_hash <> draft ->> 'request_hash' then
            raise exception 'key reused' using errcode = 'TT410', detail = jsonb_build_object('key', retry_key);
        elsif found then
            return earlier.result || '{"replayed": true}';
        end if;
    end if;

    steps := trimtab_steps(draft);
    perform trimtab_check(steps, (draft ->> 'base_revision')::bigint);

    head.revision := head.revision + 1;
    head.committed_at := greatest(clock_timestamp(), head.committed_at + interval '1 microsecond');
    scopes := trimtab_write(steps, draft, head.revision, head.committed_at);
    select
        jsonb_agg(jsonb_build_array(
            step.op, step.id, step.app_id, step.environment, step.key, step.version, step.sensitive
        )),
        jsonb_agg(jsonb_build_object(
            'op', step.op,
            'scope', trimtab_scope(step.app_id, step.environment),
            'key', step.key,
            'config_id', step.id,
            'version', step.version,
            'before', case when step.old_live then trimtab_audited(step.old_kind, step.old_value, step.old_sensitive) end,
            'after', case when not step.deleted then trimtab_audited(step.kind, step.value, step.sensitive) end
        ))
    into applied, audited
    from unnest(steps) as step;
    head := trimtab_append(
        head, head.committed_at, who, 'change.committed', head.revision, draft ->> 'address', draft ->> 'request_id',
        jsonb_build_object('message', draft -> 'message', 'source', draft -> 'source', 'operations', audited)
    );
    update installation set
        revision = head.revision, committed_at = head.committed_at,
        audit_seq = head.audit_seq, audit_hash = head.audit_hash;

    result := jsonb_build_object(
        'revision', head.revision,
        'committed_at', trimtab_instant(head.committed_at),
        'scopes', scopes,
        'applied', applied
    );
    if retry_key is not null then
        insert into idempotency_keys (author, key, request_hash, result, created_at)
        values (who, retry_key, draft ->> 'request_hash', result, head.committed_at);
    end if;
    return result;
end
$$;

-- Commit a draft, or with `dry_run` find out what that would do and leave nothing behind.
-- Its statements get no plan for the particular values: planning takes several times as long as running them.
create function trimtab_commit(draft jsonb) returns jsonb language plpgsql
set plan_cache_mode = force_generic_plan as $$
declare
    result jsonb;
begin
    if not (draft ->> 'dry_run')::boolean then
        return trimtab_apply(draft);
    end if;
    begin
        result := trimtab_apply(draft - 'idempotency_key');
        raise exception 'dry run' using errcode = 'TT000';
    exception when sqlstate 'TT000' then
        return result;
    end;
end
$$;
