-- What happens to a rollout is written in the transaction of the change that makes it happen.

-- Whether a rollout is as it was read (`expected` 0: there is none of this id yet).
create function trimtab_moves(transition jsonb) returns boolean language sql stable as $$
    select coalesce((select version from rollouts where id = (transition ->> 'id')::uuid), 0)
        = (transition ->> 'expected')::bigint
$$;

-- Add to the record of what happened to a rollout. The caller holds its row, so no two events get one number.
create function trimtab_rollout_event(
    rollout uuid, action text, principal text, phase text, step integer, revision bigint, moment timestamptz,
    detail jsonb
) returns void language sql as $$
    insert into rollout_events (rollout_id, seq, at, action, principal, phase, step, revision, detail)
    values (
        rollout, 1 + coalesce((select max(known.seq) from rollout_events as known where known.rollout_id = rollout), 0),
        moment, action, principal, phase, step, revision, detail
    )
$$;

-- Write a rollout as it is after a transition: {id, expected, app_id, environment, key, strategy, phase, step, finished,
-- action, detail, document}. The caller has seen that it moves.
create function trimtab_move_rollout(
    transition jsonb, who jsonb, revision bigint, at timestamptz
) returns void language plpgsql as $$
#variable_conflict use_column
begin
    insert into rollouts as known (
        id, app_id, environment, key, strategy, phase, version, revision, created_at, updated_at, finished_at, document
    )
    values (
        (transition ->> 'id')::uuid, transition ->> 'app_id', transition ->> 'environment', transition ->> 'key',
        transition ->> 'strategy', transition ->> 'phase', (transition ->> 'expected')::bigint + 1,
        trimtab_move_rollout.revision, at, at,
        case when (transition ->> 'finished')::boolean then at end, transition -> 'document'
    )
    on conflict (id) do update set
        phase = excluded.phase, version = excluded.version,
        revision = coalesce(excluded.revision, known.revision), updated_at = excluded.updated_at,
        finished_at = excluded.finished_at, document = excluded.document;
    perform trimtab_rollout_event(
        (transition ->> 'id')::uuid, transition ->> 'action', who ->> 'principal', transition ->> 'phase',
        (transition ->> 'step')::integer, trimtab_move_rollout.revision, at, transition -> 'detail');
end
$$;

-- What a forced change wrote over has ended.
create function trimtab_supersede(
    steps trimtab_step[], who jsonb, revision bigint, at timestamptz
) returns void language plpgsql as $$
#variable_conflict use_column
declare
    ended record;
begin
    for ended in
        update rollouts set
            phase = 'aborted', version = version + 1, revision = trimtab_supersede.revision,
            updated_at = at, finished_at = at,
            document = document || jsonb_build_object(
                'outcome', 'superseded', 'reason', 'The config was written at revision ' || trimtab_supersede.revision)
        where id in (select (step.old_rollout ->> 'id')::uuid from unnest(steps) as step
                     where step.old_rollout is not null)
        returning id, phase, coalesce((document ->> 'step')::integer, 0) as step
    loop
        perform trimtab_rollout_event(
            ended.id, 'superseded', who ->> 'principal', ended.phase, ended.step, trimtab_supersede.revision, at, '{}');
    end loop;
end
$$;

-- Rollouts that wait to be started where nothing is any more have ended.
create function trimtab_end_waiting(app text, env text, who jsonb, at timestamptz) returns void language plpgsql as $$
declare
    ended record;
begin
    for ended in
        update rollouts set
            phase = 'aborted', version = version + 1, updated_at = at, finished_at = at,
            document = document || jsonb_build_object('outcome', 'withdrawn', 'reason', 'Its place was deleted.')
        where phase = 'pending' and app_id = app and (env = '' or environment = env)
        returning id, phase, coalesce((document ->> 'step')::integer, 0) as step
    loop
        perform trimtab_rollout_event(
            ended.id, 'aborted', who ->> 'principal', ended.phase, ended.step, null, at,
            jsonb_build_object('reason', 'Its place was deleted.'));
    end loop;
end
$$;

-- Store what happens to a rollout without any change: it is created, approved, or ends before it ever began. Returns
-- whether it was as it was read.
create function trimtab_store_rollout(transition jsonb, who jsonb) returns boolean language plpgsql as $$
begin
    perform trimtab_lock();
    if not trimtab_moves(transition) then
        return false;
    end if;
    perform trimtab_move_rollout(transition, who, null, clock_timestamp());
    perform trimtab_audit(
        who, 'rollout.' || (transition ->> 'action'), 'rollout:' || (transition ->> 'id'), transition - 'document');
    return true;
end
$$;

-- Record what the gates of a rollout measured. It moves nothing, so it takes no version and no lock of the installation.
create function trimtab_record_measurements(
    rollout uuid, phase text, step integer, details jsonb, keep integer
) returns void language plpgsql as $$
declare
    detail jsonb;
begin
    perform from rollouts where id = rollout for update;
    for detail in select jsonb_array_elements(details) loop
        perform trimtab_rollout_event(rollout, 'measured', 'system', phase, step, null, clock_timestamp(), detail);
    end loop;
    delete from rollout_events as e where e.rollout_id = rollout and e.action = 'measured' and e.seq <= (
        select max(m.seq) from rollout_events as m where m.rollout_id = rollout and m.action = 'measured') - keep;
end
$$;
