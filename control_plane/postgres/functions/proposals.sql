-- Changes that are stored before they are committed. Each function locks the installation first, as commits do, looks
-- whether things are still as its caller read them, and audits what it does.

-- The operations of a change without what nobody may see: values that are sensitive, by the operation's word or by
-- that of the config which they are for. Those get the member "secret".
create function trimtab_without_secrets(operations jsonb) returns jsonb language sql stable as $$
    select jsonb_agg(
        case when coalesce((each ->> 'sensitive')::boolean, false) or coalesce(c.sensitive, false)
            then each || '{"value": null, "value_digest": 0, "secret": true}' else each end
        order by position
    )
    from jsonb_array_elements(operations) with ordinality as o(each, position)
    left join configs as c
        on c.app_id = each ->> 'app_id' and c.environment = each ->> 'environment' and c.key = each ->> 'key'
$$;

-- What an audit record says of the operations of a change that is not committed: what is to happen to which key.
create function trimtab_outlined(operations jsonb) returns jsonb language sql stable as $$
    select jsonb_agg(jsonb_build_object(
        'op', each ->> 'op',
        'scope', trimtab_scope(each ->> 'app_id', each ->> 'environment'),
        'key', each ->> 'key',
        'after', case when each ->> 'op' = 'put' then trimtab_audited(
            coalesce(each ->> 'kind', 'value'), each -> 'value', coalesce((each ->> 'sensitive')::boolean, false) or coalesce(c.sensitive, false)
        ) end
    ) order by position)
    from jsonb_array_elements(operations) with ordinality as o(each, position)
    left join configs as c
        on c.app_id = each ->> 'app_id' and c.environment = each ->> 'environment' and c.key = each ->> 'key'
$$;

-- The positions of operations whose values have to be sealed before they are stored; null if there are none.
create function trimtab_unsealed(operations jsonb) returns jsonb language sql stable as $$
    select jsonb_agg(jsonb_build_object('position', position - 1))
    from jsonb_array_elements(operations) with ordinality as o(each, position)
    left join configs as c
        on c.app_id = each ->> 'app_id' and c.environment = each ->> 'environment' and c.key = each ->> 'key'
    where (coalesce((each ->> 'sensitive')::boolean, false) or coalesce(c.sensitive, false))
        and each ->> 'op' in ('put', 'rollout') and not each ? 'sealed'
$$;

-- Store a change that is not to be committed now. Returns what its Idempotency-Key keeps, or {"state", "detail"}.
create function trimtab_propose(draft jsonb) returns jsonb language plpgsql as $$
declare
    head installation;
    known idempotency_keys;
    at timestamptz;
    result jsonb;
begin
    head := trimtab_lock();
    select * into known from idempotency_keys
    where author = draft -> 'who' ->> 'principal' and key = draft ->> 'idempotency_key';
    if known.request_hash = draft ->> 'request_hash' then
        return known.result || '{"replayed": true}';
    elsif known.request_hash is not null then
        return jsonb_build_object('state', 'TT410', 'detail', jsonb_build_object('key', known.key));
    elsif (draft ->> 'rules_revision')::bigint <> head.rules_revision then
        return '{"state": "TT425", "detail": {}}';
    elsif trimtab_unsealed(draft -> 'operations') is not null then
        return jsonb_build_object('state', 'TT428', 'detail', trimtab_unsealed(draft -> 'operations'));
    end if;
    at := clock_timestamp();
    insert into changes (
        id, state, author, author_role, writers, message, source, request_id, address, labels, reverts, forced,
        operations, base_revision, scheduled_at, expires_at, created_at, updated_at
    ) values (
        (draft ->> 'id')::uuid, draft ->> 'stored_state', draft ->> 'author', draft -> 'who' ->> 'role',
        array[draft ->> 'author'], draft ->> 'message', draft -> 'who' ->> 'source',
        coalesce(draft -> 'who' ->> 'request_id', ''), coalesce(draft -> 'who' ->> 'address', ''), draft -> 'labels',
        (draft ->> 'reverts')::bigint, nullif(draft -> 'forced', 'null'), draft -> 'operations',
        (draft ->> 'base_revision')::bigint, (draft ->> 'scheduled_at')::timestamptz,
        (draft ->> 'expires_at')::timestamptz, at, at
    );
    perform trimtab_audit(
        draft -> 'who', draft ->> 'action', 'change:' || (draft ->> 'id'),
        jsonb_build_object(
            'message', draft -> 'message', 'state', draft -> 'stored_state',
            'operations', trimtab_outlined(draft -> 'operations')
        ) || jsonb_strip_nulls(jsonb_build_object(
            'labels', nullif(draft -> 'labels', '{}'), 'scheduled_at', draft -> 'scheduled_at'
        ))
    );
    result := jsonb_build_object(
        'id', draft -> 'id', 'stored_state', draft -> 'stored_state', 'scheduled_at', draft -> 'scheduled_at');
    if draft ->> 'idempotency_key' is not null then
        insert into idempotency_keys (author, key, request_hash, result, created_at)
        values (
            draft -> 'who' ->> 'principal', draft ->> 'idempotency_key', draft ->> 'request_hash', result, at
        );
    end if;
    return result;
end
$$;

-- Let something happen to a stored change: 'done', or 'stale' if it is not as it was read, 'rules' if
-- those moved, 'unsealed' if a config of its operations has become sensitive meanwhile.
create function trimtab_move(move jsonb) returns text language plpgsql as $$
declare
    head installation;
    before changes;
    at timestamptz := clock_timestamp();
begin
    head := trimtab_lock();
    select * into before from changes where id = (move ->> 'id')::uuid;
    if before.moves <> (move ->> 'moves')::integer or before.state <> move ->> 'state_read' then
        return 'stale';
    elsif (move ->> 'rules_revision')::bigint <> head.rules_revision then
        return 'rules';
    elsif jsonb_typeof(move -> 'operations') = 'array' and trimtab_unsealed(move -> 'operations') is not null then
        return 'unsealed';
    end if;
    update changes set
        state = move ->> 'state',
        moves = moves + 1,
        edition = (move ->> 'edition')::integer,
        message = move ->> 'message',
        labels = move -> 'labels',
        base_revision = (move ->> 'base_revision')::bigint,
        forced = nullif(move -> 'forced', 'null'),
        scheduled_at = (move ->> 'scheduled_at')::timestamptz,
        expires_at = (move ->> 'expires_at')::timestamptz,
        failure = nullif(move -> 'failure', 'null'),
        writers = case
            when move ->> 'writer' = any (writers) or move ->> 'writer' is null then writers
            else writers || (move ->> 'writer')
        end,
        operations = case
            when move ->> 'state' not in ('draft', 'pending', 'scheduled') then trimtab_without_secrets(operations)
            else coalesce(nullif(move -> 'operations', 'null'), operations)
        end,
        updated_at = at
    where id = before.id;
    if move ->> 'approved' is not null then
        insert into approvals (change_id, edition, principal, role, approved, comment, at)
        values (
            before.id, (move ->> 'edition')::integer, move -> 'who' ->> 'principal', move -> 'who' ->> 'role',
            (move ->> 'approved')::boolean, move ->> 'comment', at
        )
        on conflict (change_id, edition, principal) do update set
            role = excluded.role, approved = excluded.approved, comment = excluded.comment, at = excluded.at;
    end if;
    perform trimtab_audit(
        move -> 'who', move ->> 'action', 'change:' || before.id,
        jsonb_build_object('edition', move -> 'edition', 'before', before.state, 'after', move -> 'state')
        || jsonb_strip_nulls(jsonb_build_object(
            'author', before.author,
            'comment', nullif(move ->> 'comment', ''),
            'scheduled_at', move -> 'scheduled_at',
            'message', case when move ->> 'message' <> before.message then move -> 'message' end,
            'failure', move -> 'failure' -> 'detail'
        )) || case
            when move -> 'operations' = 'null' then '{}'
            else jsonb_build_object('operations', trimtab_outlined(move -> 'operations'))
        end
    );
    return 'done';
end
$$;

-- Commit one draft past its policies, and open the review of that.
create function trimtab_break_glass(waves jsonb, reason text, policies text[]) returns jsonb[] language plpgsql as $$
declare
    answers jsonb[] := trimtab_commit(waves);
    answer jsonb := answers[1];
    who jsonb := waves -> 0 -> 0 -> 'who';
    review uuid;
begin
    if answer ? 'state' or answer ? 'replayed' then
        return answers;
    end if;
    update changes set break_glass = reason where id = (answer ->> 'id')::uuid;
    insert into reviews (change_id, reason, policies, opened_by, opened_at)
    values ((answer ->> 'id')::uuid, reason, policies, who ->> 'principal', clock_timestamp())
    returning id into review;
    perform trimtab_audit(
        who, 'change.glass_broken', 'change:' || (answer ->> 'id'), jsonb_build_object(
            'reason', reason, 'policies', to_jsonb(policies), 'revision', answer -> 'revision', 'review', review)
    );
    return answers;
end
$$;

-- Stored changes as they are shown, with what approvers said; `whole`: with the values that are no secret, else without.
create function trimtab_proposals(ids uuid[], whole boolean, secrets boolean) returns table (
    id uuid, state text, edition integer, moves integer, author text, author_role text, source text, message text,
    labels jsonb, operations jsonb, base_revision bigint, reverts bigint, forced jsonb, scheduled_at timestamptz,
    expires_at timestamptz, created_at timestamptz, updated_at timestamptz, writers text[], failure jsonb,
    break_glass text, revision bigint, committed_at timestamptz, committed_by text, approvals jsonb, stored boolean
) language sql stable as $$
    select
        c.id, c.state, c.edition, c.moves, c.author, coalesce(c.author_role, ''), c.source, c.message, c.labels,
        case
            when secrets then c.operations
            when whole then trimtab_without_secrets(c.operations)
            else (
                select jsonb_agg(each - 'value' - 'value_digest' order by position)
                from jsonb_array_elements(c.operations) with ordinality as o(each, position)
            )
        end,
        c.base_revision, c.reverts, c.forced, c.scheduled_at, c.expires_at,
        coalesce(c.created_at, c.committed_at), coalesce(c.updated_at, c.committed_at),
        coalesce(c.writers, array[c.author]), c.failure, c.break_glass, c.revision, c.committed_at, c.committed_by,
        coalesce(said.approvals, '[]'), c.created_at is not null
    from unnest(ids) with ordinality as wanted(id, place)
    join changes as c on c.id = wanted.id
    cross join lateral (
        select jsonb_agg(jsonb_build_array(
            a.edition, a.principal, a.role, a.approved, a.comment, trimtab_instant(a.at)
        ) order by a.at) as approvals
        from approvals as a where a.change_id = c.id
    ) as said
    order by wanted.place
$$;
