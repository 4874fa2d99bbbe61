-- The one write path: whole changes in one statement, one round trip and one transaction.
--
-- Every commit locks the installation's row first and reads everything afterwards, each statement with a snapshot of
-- its own (READ COMMITTED). So commits happen one after the other, in the order of their revisions, and a change that
-- is refused has used none.
--
-- Drafts that wait at the same time are committed together, which makes the lock, the plans and the flush to disk
-- theirs in common. They come in waves: no two drafts of a wave have a key of a scope, or an Idempotency-Key, in
-- common. So a wave is read, checked and written as a whole, and what one of its drafts does or fails to do is nothing
-- to the others.

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
-- the entry that it leaves (`id`, `version`, `kind`, `value`, …). `difference` is what it does to its scope's digest.
create type trimtab_step as (
    draft integer,
    position integer,
    op text,
    app_id text,
    environment text,
    key text,
    expected_version bigint,
    registered boolean,
    archived boolean,
    old_live boolean,
    old_kind text,
    old_value jsonb,
    old_rollout jsonb,
    old_sensitive boolean,
    old_version bigint,
    old_revision bigint,
    old_updated_by text,
    old_description text,
    old_owner text,
    old_labels jsonb,
    id uuid,
    version bigint,
    kind text,
    value jsonb,
    value_digest bigint,
    rollout jsonb,
    rollout_digest bigint,
    refs text[],
    sensitive boolean,
    description text,
    owner text,
    labels jsonb,
    deleted boolean,
    difference bigint,
    hits jsonb,
    guarded boolean,
    unsealed boolean
);

-- A draft that is carried out: the number it has in its wave, and what it became.
create type trimtab_change as (
    draft integer,
    revision bigint,
    at timestamptz,
    id uuid,
    author text,
    committed_by text,
    message text,
    source text,
    address text,
    request_id text,
    labels jsonb,
    reverts bigint,
    forced jsonb
);

-- An entry or a value as a conflict shows it: nothing sensitive, and nothing that is too long to be read there.
create function trimtab_shown(value jsonb, sensitive boolean) returns jsonb
language sql stable parallel safe as $$
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
        'yours', jsonb_build_object('op', step.op) || trimtab_shown(step.value, step.sensitive or step.old_sensitive)
    )
$$;

-- Whether a step would write over a rollout that is not its own. `own` is the rollout that moves with the draft.
create function trimtab_disturbs(step trimtab_step, own jsonb) returns boolean language sql immutable parallel safe as $$
    select step.old_rollout is not null and coalesce(step.old_rollout ->> 'id' <> own ->> 'id', true)
$$;

-- Whether a step can be carried out at all. Nearly always it can; `trimtab_refusal` finds out why not.
create function trimtab_possible(step trimtab_step, base_revision bigint) returns boolean
language sql immutable parallel safe as $$
    select coalesce(length(step.key) <= 255 and step.key ~ '^[A-Za-z0-9_][A-Za-z0-9_.-]*$', false)
        and step.registered
        and not step.archived
        and case step.expected_version
            when 0 then not step.old_live else coalesce(step.expected_version = step.old_version, true) end
        and coalesce(step.old_revision <= base_revision, true)
        and case step.op
            when 'delete' then step.old_live when 'unmask' then step.old_live and step.old_kind = 'mask' else true end
$$;

-- Something of a type, in the place of what is sealed.
create function trimtab_of_type(name text) returns jsonb language sql immutable parallel safe as $$
    select case name
        when 'boolean' then 'true' when 'number' then '0' when 'string' then '""' when 'array' then '[]'
        when 'object' then '{}' else 'null'
    end::jsonb
$$;

-- The digest of a sensitive value: sealed, it carries its own.
create function trimtab_digest_of(value jsonb) returns text language sql stable parallel safe as $$
    select coalesce(value -> '$sealed' ->> 'digest', trimtab_keyed_digest(value::text))
$$;

-- Whether two values of one config are equal, as far as that can be told: of sealed ones by their digests.
create function trimtab_equal(one jsonb, other jsonb) returns boolean language sql immutable parallel safe as $$
    select case when one ? '$sealed' and other ? '$sealed'
        then one -> '$sealed' -> 'digest' = other -> '$sealed' -> 'digest' else one = other end
$$;

-- What a reader is served as long as no rule decides otherwise, for comparing types; null for what is not read.
create function trimtab_served(kind text, value jsonb) returns jsonb language sql immutable parallel safe as $$
    select case
        when value ? '$sealed' and value -> '$sealed' ? 'type' then trimtab_of_type(value -> '$sealed' ->> 'type')
        when kind = 'value' then value
        when kind = 'flag' then value -> 'variants' -> (value ->> 'default')
    end
$$;

-- The guards that a put is up against, as [{"guard": …, "mode": …, …}]; null if there is none. `seen` is what the scope
-- sees for the key now; `used` is whether the key is one of a config that was deleted, with another value than this.
create function trimtab_hits(
    value jsonb, type_guard text, seen jsonb, reuse_guard text, used boolean, secret boolean
) returns jsonb language sql stable parallel safe as $$
    select nullif(
        case when jsonb_typeof(seen) <> jsonb_typeof(value) and 'null' not in (jsonb_typeof(seen), jsonb_typeof(value))
            then jsonb_build_array(jsonb_build_object('guard', 'type_change', 'mode', type_guard) || case
                when secret then '{}'
                else jsonb_build_object('before', jsonb_typeof(seen), 'after', jsonb_typeof(value)) end)
            else '[]'
        end
        || case when used then jsonb_build_array(jsonb_build_object('guard', 'key_reuse', 'mode', reuse_guard))
            else '[]' end,
        '[]')
$$;

-- The guards that steps have hit, each with its operation's place.
create function trimtab_hits_of(steps trimtab_step[]) returns jsonb language sql stable parallel safe as $$
    select coalesce(jsonb_agg(hit || jsonb_build_object(
        'position', step.position, 'app_id', step.app_id, 'environment', step.environment, 'key', step.key
    ) order by step.position), '[]')
    from unnest(steps) as step, jsonb_array_elements(step.hits) as hit
$$;

-- Why a draft was forced, with the guards that would have refused it; null if none would have.
create function trimtab_forced(forced jsonb, hits jsonb) returns jsonb language sql immutable parallel safe as $$
    select case when count(*) > 0 then forced || jsonb_build_object('guards', jsonb_agg(guard order by guard)) end
    from (
        select jsonb_array_elements_text(forced -> 'guards')
        union select hit ->> 'guard' from jsonb_array_elements(hits) as hit where hit ->> 'mode' = 'refuse'
    ) as each(guard)
$$;

-- Whether an entry of one of the steps' keys, in whatever scope, is newer than what a draft was checked against.
create function trimtab_stale(steps trimtab_step[], checked_revision bigint) returns boolean language sql stable as $$
    select exists (
        select from unnest(steps) as step join configs on configs.key = step.key
        where configs.revision > checked_revision)
$$;

-- Why a draft cannot be carried out, as {"state": …, "detail": …} for `control_plane/postgres/errors.py`.
create function trimtab_refusal(
    steps trimtab_step[], base_revision bigint, transition jsonb, forced jsonb
) returns jsonb language plpgsql as $$
declare
    problem jsonb;
begin
    select jsonb_agg(jsonb_build_object('pointer', '/operations/' || position || '/key', 'detail', 'is not a key')
        order by position)
    into problem
    from unnest(steps) as step
    where key is null or length(key) > 255 or key !~ '^[A-Za-z0-9_][A-Za-z0-9_.-]*$';
    if problem is not null then
        return jsonb_build_object('state', 'TT422', 'detail', jsonb_build_object('violations', problem));
    end if;

    select case
        when step.environment <> '' and exists (select from apps where apps.app_id = step.app_id) then
            jsonb_build_object('kind', 'environment', 'name', step.app_id || '/' || step.environment)
        else jsonb_build_object('kind', 'application', 'name', step.app_id)
    end into problem
    from unnest(steps) as step where not step.registered order by step.position limit 1;
    if problem is not null then
        return jsonb_build_object('state', 'TT404', 'detail', problem);
    end if;

    select jsonb_build_object('reason', 'archived', 'scope', trimtab_scope(step.app_id, step.environment)) into problem
    from unnest(steps) as step where step.archived order by step.position limit 1;
    if problem is not null then
        return jsonb_build_object('state', 'TT409', 'detail', problem);
    end if;

    select jsonb_agg(trimtab_conflict(step) order by step.position) into problem
    from unnest(steps) as step where step.expected_version = 0 and step.old_live;
    if problem is not null then
        return jsonb_build_object(
            'state', 'TT409', 'detail', jsonb_build_object('reason', 'exists', 'conflicts', problem));
    end if;

    select jsonb_build_object('expected', step.expected_version, 'current', step.old_version) into problem
    from unnest(steps) as step
    where step.expected_version > 0 and step.expected_version <> step.old_version order by step.position limit 1;
    if problem is not null then
        return jsonb_build_object('state', 'TT412', 'detail', problem);
    end if;

    select jsonb_agg(trimtab_conflict(step) order by step.position) into problem
    from unnest(steps) as step where step.old_revision > base_revision;
    if problem is not null then
        return jsonb_build_object('state', 'TT409', 'detail', jsonb_build_object(
            'reason', 'moved', 'base_revision', base_revision, 'conflicts', problem));
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
        return jsonb_build_object('state', 'TT422', 'detail', jsonb_build_object('violations', problem));
    end if;

    if forced is null or transition is not null then
        select jsonb_agg(jsonb_build_object(
            'pointer', '/operations/' || step.position || '/key',
            'scope', trimtab_scope(step.app_id, step.environment),
            'key', step.key,
            'id', step.old_rollout -> 'id',
            'strategy', step.old_rollout -> 'strategy',
            'phase', step.old_rollout -> 'phase'
        ) order by step.position) into problem
        from unnest(steps) as step where trimtab_disturbs(step, transition);
        if problem is not null then
            return jsonb_build_object(
                'state', 'TT409', 'detail', jsonb_build_object('reason', 'rollout', 'rollouts', problem));
        end if;
    end if;

    return jsonb_build_object('state', 'TT423', 'detail', jsonb_build_object('hits', trimtab_hits_of(steps)));
end
$$;

-- An entry as an audit record holds it: with its value, or with the keyed digest of a sensitive one.
create function trimtab_audited(kind text, value jsonb, sensitive boolean) returns jsonb
language sql stable parallel safe as $$
    select case
        when kind in ('mask', 'inherit') then jsonb_build_object('kind', kind, 'sensitive', sensitive)
        when sensitive then jsonb_build_object(
            'kind', kind, 'sensitive', sensitive, 'digest', trimtab_digest_of(value))
        else jsonb_build_object('kind', kind, 'sensitive', sensitive, 'value', value)
    end
$$;

-- The exposure of a candidate over an entry, as an audit record holds it; nothing where there is none.
create function trimtab_audited_rollout(rollout jsonb, sensitive boolean) returns jsonb
language sql stable parallel safe as $$
    select case
        when rollout is null then '{}'
        when sensitive then jsonb_build_object('rollout', rollout - 'candidate' || jsonb_build_object(
            'digest', trimtab_digest_of(rollout -> 'candidate')))
        else jsonb_build_object('rollout', rollout)
    end
$$;

-- What people say about an entry, as an audit record holds it: as far as it differs from the other side.
create function trimtab_audited_words(
    description text, owner text, labels jsonb, other_description text, other_owner text, other_labels jsonb
) returns jsonb language sql stable parallel safe as $$
    select case when (description, owner, labels) = (other_description, other_owner, other_labels) then '{}'
        else jsonb_strip_nulls(jsonb_build_object(
            'description', case when description <> other_description then description end,
            'owner', case when owner <> other_owner then owner end,
            'labels', case when labels <> other_labels then labels end
        ))
    end
$$;

-- Whether a stored change may be committed as it was read: nobody edited it since, and it is still open.
create function trimtab_ripe(change uuid, edition_read integer) returns boolean language sql stable as $$
    select exists (
        select from changes where id = change and edition = edition_read and state in ('pending', 'scheduled'))
$$;

-- The operations of one draft as steps.
create function trimtab_steps(draft integer, operations jsonb) returns setof trimtab_step
language sql stable as $$
    select
        draft, (o.position - 1)::integer, o.op, o.app_id, o.environment, o.key, o.expected_version,
        r.app_id is not null, r.archived,
        n.old_live, c.kind, c.value, case when n.old_live then c.rollout end, coalesce(c.sensitive, false), coalesce(c.version, 0), coalesce(c.revision, 0),
        c.updated_by, coalesce(c.description, ''), coalesce(c.owner, ''), coalesce(c.labels, '{}'),
        coalesce(c.id, n.id, gen_random_uuid()),
        n.version, n.kind, n.value, n.value_digest, case when n.places then o.rollout end, n.rollout_digest,
        coalesce(o.refs, '{}'), n.sensitive,
        coalesce(o.description, c.description, ''), coalesce(o.owner, c.owner, ''),
        coalesce(o.labels, c.labels, '{}'), n.deleted,
        case when n.old_live then
            trimtab_entry_digest(c.key, c.kind, c.version, c.value_digest # c.rollout_digest) else 0 end
        # case when n.deleted then 0 else
            trimtab_entry_digest(o.key, n.kind, n.version, n.value_digest # n.rollout_digest) end,
        g.hits, coalesce(g.hits @> '[{"mode": "refuse"}]', false),
        n.places and n.sensitive and (n.value is not null or o.rollout is not null)
            and (coalesce(c.id, n.id), n.version) is distinct from (n.id, (o.sealed ->> 'version')::bigint)
    from rows from (jsonb_to_recordset(operations) as (
        op text, app_id text, environment text, key text, value jsonb, value_digest bigint,
        sensitive boolean, description text, owner text, labels jsonb, expected_version bigint,
        type_guard text, reuse_guard text, kind text, rollout jsonb, rollout_digest bigint, refs text[], sealed jsonb
    )) with ordinality as o(
        op, app_id, environment, key, value, value_digest, sensitive, description, owner, labels, expected_version,
        type_guard, reuse_guard, kind, rollout, rollout_digest, refs, sealed, position
    )
    left join lateral (
        select e.app_id, e.archived_at is not null or a.archived_at is not null as archived
        from environments as e join apps as a on a.app_id = e.app_id
        where o.environment <> '' and e.app_id = o.app_id and e.environment = o.environment
        union all
        select a.app_id, a.archived_at is not null
        from apps as a where o.environment = '' and o.app_id <> '' and a.app_id = o.app_id
        union all
        select '', false where o.app_id = ''
        limit 1
    ) as r on true
    -- The limit keeps this a look-up by index for each operation, whatever the planner thinks of the table.
    left join lateral (
        select * from configs
        where configs.app_id = o.app_id and configs.environment = o.environment and configs.key = o.key
        limit 1
    ) as c on true
    cross join lateral (
        select
            (o.sealed ->> 'id')::uuid as id,
            coalesce(not c.deleted, false) as old_live,
            coalesce(c.version, 0) + 1 as version,
            case when o.op in ('put', 'rollout') then coalesce(o.kind, 'value')
                when o.op = 'mask' then 'mask' else coalesce(c.kind, 'value') end as kind,
            coalesce(o.sensitive, c.sensitive, false) as sensitive,
            case when o.op in ('put', 'rollout') and coalesce(o.kind, '') <> 'inherit' then coalesce(o.value, 'null')
                end as value,
            case when o.op in ('put', 'rollout') and coalesce(o.kind, '') <> 'inherit'
                and not coalesce(o.sensitive, c.sensitive, false) then o.value_digest else 0 end as value_digest,
            case when o.op in ('put', 'rollout') and not coalesce(o.sensitive, c.sensitive, false)
                then coalesce(o.rollout_digest, 0) else 0 end as rollout_digest,
            o.op in ('put', 'rollout') as places,
            o.op in ('delete', 'unmask') as deleted
    ) as n
    -- What a put without an entry of its own would hide: looked for only where that matters.
    left join lateral (
        select * from (
            (select u.kind, trimtab_served(u.kind, u.value) as value, u.sensitive from configs as u
             where u.app_id = o.app_id and u.environment = '' and u.key = o.key and not u.deleted and o.environment <> ''
             limit 1)
            union all
            (select u.kind, trimtab_served(u.kind, u.value) as value, u.sensitive from configs as u
             where u.app_id = '' and u.environment = '' and u.key = o.key and not u.deleted and o.app_id <> '' limit 1)
        ) as above
        where o.type_guard is not null and n.places and not n.old_live
        limit 1
    ) as i on true
    left join lateral (
        select trimtab_hits(
            case when o.op = 'rollout' then trimtab_served(o.rollout ->> 'kind', o.rollout -> 'candidate')
                else trimtab_served(n.kind, n.value) end,
            o.type_guard,
            case when o.type_guard is null then null
                when n.old_live then trimtab_served(c.kind, c.value) else i.value end,
            o.reuse_guard,
            o.reuse_guard is not null and coalesce(c.deleted, false) and c.kind <> 'mask' and not exists (
                select from config_versions as v
                where v.config_id = c.id and v.version = c.version - 1 and trimtab_equal(v.value, coalesce(o.value, 'null'))),
            coalesce(o.sensitive, false) or coalesce(case when n.old_live then c.sensitive else i.sensitive end, false)
        ) as hits
        where n.places and (o.type_guard is not null or o.reuse_guard is not null)
    ) as g on true
$$;

-- The drafts of a wave, each with its steps, what they are called in the answer and in the audit, and the result that
-- its Idempotency-Key has already. (Functions in SQL become part of the statement that calls them, and of its plan.)
create function trimtab_read(wave jsonb) returns table (
    draft integer, id uuid, edition integer, author text, message text, who jsonb, base_revision bigint,
    labels jsonb, reverts bigint, forced jsonb, rules_revision bigint, checked_revision bigint, linked text[],
    transition jsonb, idempotency_key text, request_hash text, known_hash text, known_result jsonb,
    steps trimtab_step[], possible boolean, unsealed boolean, hit boolean, relinks boolean, applied jsonb, audited jsonb
) language sql stable as $$
    select
        d.number::integer, d.id, d.edition, d.author, d.message, d.who, d.base_revision,
        d.labels, d.reverts, d.forced, d.rules_revision, d.checked_revision, d.linked, d.transition,
        d.idempotency_key, d.request_hash, known.request_hash, known.result,
        done.steps, done.possible, done.unsealed, done.hit, done.relinks, done.applied, done.audited
    from rows from (jsonb_to_recordset(wave) as (
        id uuid, edition integer, author text, message text, who jsonb, base_revision bigint,
        labels jsonb, reverts bigint, forced jsonb, rules_revision bigint, checked_revision bigint, linked text[],
        transition jsonb, idempotency_key text, request_hash text, operations jsonb
    )) with ordinality as d(
        id, edition, author, message, who, base_revision, labels, reverts, forced, rules_revision,
        checked_revision, linked, transition, idempotency_key, request_hash, operations, number
    )
    left join lateral (
        select * from idempotency_keys as k where k.author = d.who ->> 'principal' and k.key = d.idempotency_key limit 1
    ) as known on true
    cross join lateral (
        select
            array_agg(step) as steps,
            bool_and(trimtab_possible(step, d.base_revision) and (d.forced is not null or not step.guarded)
                and (not trimtab_disturbs(step, d.transition) or d.forced is not null and d.transition is null)
            ) as possible,
            bool_or(step.unsealed) as unsealed,
            bool_or(step.hits is not null) as hit,
            bool_or(step.refs <> '{}' or trimtab_meaning(step.old_kind, step.old_live)
                <> trimtab_meaning(step.kind, not step.deleted)) as relinks,
            jsonb_agg(jsonb_build_array(
                step.op, step.id, step.app_id, step.environment, step.key, step.version,
                step.sensitive
            )) as applied,
            jsonb_agg(jsonb_build_object(
                'op', step.op,
                'scope', trimtab_scope(step.app_id, step.environment),
                'key', step.key,
                'config_id', step.id,
                'version', step.version,
                'before', case when step.old_live then
                    trimtab_audited(step.old_kind, step.old_value, step.old_sensitive)
                    || trimtab_audited_rollout(step.old_rollout, step.old_sensitive)
                    || trimtab_audited_words(
                        step.old_description, step.old_owner, step.old_labels,
                        step.description, step.owner, step.labels) end,
                'after', case when not step.deleted then
                    trimtab_audited(step.kind, step.value, step.sensitive)
                    || trimtab_audited_rollout(step.rollout, step.sensitive)
                    || case when step.old_live then trimtab_audited_words(
                        step.description, step.owner, step.labels,
                        step.old_description, step.old_owner, step.old_labels)
                    else trimtab_audited_words(step.description, step.owner, step.labels, '', '', '{}') end end
            )) as audited
        from trimtab_steps(d.number::integer, d.operations) as step
    ) as done
$$;

-- Where the values of a draft have to be sealed before it can be carried out: which version of which config they make.
create function trimtab_to_seal(steps trimtab_step[]) returns jsonb language sql immutable parallel safe as $$
    select jsonb_build_object('state', 'TT428', 'detail', jsonb_agg(
        jsonb_build_object('position', step.position, 'id', step.id, 'version', step.version)))
    from unnest(steps) as step
    where step.sensitive and not step.deleted and (step.value is not null or step.rollout is not null)
$$;

-- Write the changes of a wave, their entries and versions, the outbox and the audit. Statement after statement: one
-- statement with all of them would be three times the work.
create function trimtab_write(
    changed trimtab_change[], steps trimtab_step[], touched change_scopes[], audited audit_logs[], at timestamptz
) returns void language plpgsql as $$
begin
    -- One that was stored before has its row already; its operations live on as versions.
    insert into changes as stored (
        id, revision, author, committed_by, message, source, committed_at, request_id, address, labels, reverts, forced
    )
    select
        c.id, c.revision, c.author, c.committed_by, c.message, c.source, c.at, c.request_id, c.address,
        c.labels, c.reverts, c.forced
    from unnest(changed) as c where c.revision is not null
    on conflict (id) do update set
        state = 'committed', revision = excluded.revision, committed_by = excluded.committed_by,
        committed_at = excluded.committed_at, updated_at = excluded.committed_at, forced = excluded.forced,
        operations = null;

    insert into configs (
        id, app_id, environment, key, kind, value, value_digest, rollout, rollout_digest, refs, sensitive, description,
        owner, labels, version, revision, deleted, updated_at, updated_by
    )
    select
        s.id, s.app_id, s.environment, s.key, s.kind, s.value, s.value_digest, s.rollout, s.rollout_digest, s.refs,
        s.sensitive, s.description, s.owner, s.labels,
        s.version, (changed[s.draft]).revision, s.deleted, (changed[s.draft]).at, (changed[s.draft]).author
    from unnest(steps) as s
    on conflict (app_id, environment, key) do update set
        kind = excluded.kind, value = excluded.value, value_digest = excluded.value_digest,
        rollout = excluded.rollout, rollout_digest = excluded.rollout_digest, refs = excluded.refs,
        sensitive = excluded.sensitive, description = excluded.description, owner = excluded.owner,
        labels = excluded.labels, version = excluded.version,
        revision = excluded.revision, deleted = excluded.deleted, updated_at = excluded.updated_at,
        updated_by = excluded.updated_by;

    insert into config_versions (config_id, version, revision, position, op, kind, value, sensitive, rollout)
    select s.id, s.version, (changed[s.draft]).revision, s.position, s.op, s.kind, s.value, s.sensitive, s.rollout
    from unnest(steps) as s;

    insert into change_scopes select * from unnest(touched);

    insert into outbox (revision, scope, committed_at)
    select t.revision, trimtab_scope(t.app_id, t.environment), at from unnest(touched) as t;

    insert into audit_logs select * from unnest(audited);
end
$$;

-- Carry out one wave of drafts: moves `head` on, and adds each draft's outcome to `answers`.
create function trimtab_apply(inout head installation, wave jsonb, inout answers jsonb[]) language plpgsql as $$
declare
    draft record;
    outcomes jsonb[];
    changed trimtab_change[];
    steps trimtab_step[];
    touched change_scopes[];
    audited audit_logs[];
    place change_scopes;
    places jsonb;
    entry audit_logs;
    hits jsonb;
    forced jsonb;
begin
    for draft in select * from trimtab_read(wave) loop
        if draft.known_hash = draft.request_hash then
            outcomes[draft.draft] := draft.known_result || '{"replayed": true}';
        elsif draft.known_hash is not null then
            outcomes[draft.draft] := jsonb_build_object(
                'state', 'TT410', 'detail', jsonb_build_object('key', draft.idempotency_key));
        elsif draft.rules_revision <> head.rules_revision then
            outcomes[draft.draft] := jsonb_build_object('state', 'TT425', 'detail', '{}'::jsonb);
        elsif draft.checked_revision is not null and (
            trimtab_stale(draft.steps, draft.checked_revision)
            or draft.linked is not null and trimtab_links_moved(draft.steps, draft.linked, draft.checked_revision)
        ) then
            outcomes[draft.draft] := jsonb_build_object('state', 'TT426', 'detail', '{}'::jsonb);
        elsif draft.edition is not null and not trimtab_ripe(draft.id, draft.edition) then
            outcomes[draft.draft] := jsonb_build_object(
                'state', 'TT409', 'detail', jsonb_build_object('reason', 'state', 'id', draft.id));
        elsif not draft.possible then
            outcomes[draft.draft] := trimtab_refusal(
                draft.steps, draft.base_revision, draft.transition, draft.forced);
        elsif draft.linked is null and draft.relinks and trimtab_relinks(draft.steps) then
            outcomes[draft.draft] := jsonb_build_object('state', 'TT427', 'detail', '{}'::jsonb);
        elsif draft.transition is not null and not trimtab_moves(draft.transition) then
            outcomes[draft.draft] := jsonb_build_object('state', 'TT409', 'detail', jsonb_build_object(
                'reason', 'rollout_moved', 'id', draft.transition -> 'id'));
        elsif draft.unsealed then
            outcomes[draft.draft] := trimtab_to_seal(draft.steps);
        else
            head.revision := head.revision + 1;
            head.committed_at := greatest(clock_timestamp(), head.committed_at + interval '1 microsecond');
            places := '[]';
            for place in
                insert into scopes as known (app_id, environment, previous, revision, digest)
                select s.app_id, s.environment, 0, head.revision, bit_xor(s.difference)
                from unnest(draft.steps) as s group by s.app_id, s.environment
                on conflict (app_id, environment) do update set
                    previous = known.revision, revision = excluded.revision, digest = known.digest # excluded.digest
                returning revision, app_id, environment, previous, digest
            loop
                touched := touched || place;
                places := places || jsonb_build_array(
                    jsonb_build_array(place.app_id, place.environment, place.previous, place.digest));
            end loop;
            hits := case when draft.hit then trimtab_hits_of(draft.steps) else '[]' end;
            forced := case when draft.forced is not null then trimtab_forced(draft.forced, hits) end;
            outcomes[draft.draft] := jsonb_build_object(
                'id', draft.id,
                'hits', hits,
                'revision', head.revision,
                'committed_at', trimtab_instant(head.committed_at),
                'applied', draft.applied,
                'scopes', places
            );
            entry := trimtab_record(
                head, head.committed_at, draft.who, 'change.committed', 'change:' || draft.id, 'done', head.revision,
                jsonb_build_object('message', draft.message, 'operations', draft.audited) || jsonb_strip_nulls(
                    jsonb_build_object('author', nullif(draft.author, draft.who ->> 'principal'),
                        'labels', nullif(draft.labels, '{}'), 'reverts', draft.reverts, 'forced', forced,
                        'rollout', draft.transition - 'document')));
            head.audit_seq := entry.seq;
            head.audit_hash := entry.hash;
            audited := audited || entry;
            steps := steps || draft.steps;
            changed[draft.draft] := row(
                draft.draft, head.revision, head.committed_at, draft.id, draft.author,
                nullif(draft.who ->> 'principal', draft.author), draft.message, draft.who ->> 'source',
                draft.who ->> 'address', draft.who ->> 'request_id', draft.labels, draft.reverts, forced
            )::trimtab_change;
            if draft.transition is not null then
                perform trimtab_move_rollout(draft.transition, draft.who, head.revision, head.committed_at);
            end if;
            if draft.forced is not null and draft.transition is null then
                perform trimtab_supersede(draft.steps, draft.who, head.revision, head.committed_at);
            end if;
            if draft.idempotency_key is not null then
                insert into idempotency_keys (author, key, request_hash, result, created_at)
                values (
                    draft.who ->> 'principal', draft.idempotency_key, draft.request_hash, outcomes[draft.draft], head.committed_at
                );
            end if;
        end if;
    end loop;
    if changed is not null then
        perform trimtab_write(changed, steps, touched, audited, head.committed_at);
    end if;
    answers := answers || outcomes;
end
$$;

-- Commit waves of drafts, and return for each what became of them.
-- The statements get no plan for their particular values: planning takes several times as long as running them.
create function trimtab_commit(waves jsonb) returns jsonb[] language plpgsql
set plan_cache_mode = force_generic_plan as $$
declare
    head installation;
    done record;
    answers jsonb[];
begin
    head := trimtab_lock();
    for number in 0 .. jsonb_array_length(waves) - 1 loop
        done := trimtab_apply(head, waves -> number, answers);
        head := done.head;
        answers := done.answers;
    end loop;
    update installation set
        revision = head.revision, committed_at = head.committed_at,
        audit_seq = head.audit_seq, audit_hash = head.audit_hash
    where revision < head.revision; -- unless all were refused or known
    return answers;
end
$$;

-- What `trimtab_commit` would return; nothing is left behind.
create function trimtab_rehearse(waves jsonb) returns jsonb[] language plpgsql as $$
declare
    answers jsonb[];
begin
    answers := trimtab_commit(waves);
    raise exception 'dry run' using errcode = 'TT000';
exception when sqlstate 'TT000' then
    return answers;
end
$$;
