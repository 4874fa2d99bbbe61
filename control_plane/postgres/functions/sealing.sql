-- What lies sealed, and what of it should lie otherwise: values from before they were sealed, and those under keys that
-- were replaced.

-- Whether a sensitive value is not sealed under a key that still encrypts.
create function trimtab_outdated(value jsonb) returns boolean language sql stable as $$
    select value is not null and not (value ? '$sealed' and exists (
        select from data_keys where id::text = value -> '$sealed' ->> 'key' and retired_at is null))
$$;

-- Put newly sealed values in the place of old ones, wherever those still are as they were read: [{id, version,
-- old_value, value, old_rollout, rollout}]. How many there were. It runs with its owner's rights: a replica may not change versions.
create function trimtab_reseal(items jsonb) returns bigint language plpgsql security definer as $$
declare
    done bigint;
begin
    with named as (
        select * from jsonb_to_recordset(items) as i(
            id uuid, version bigint, old_value jsonb, value jsonb, old_rollout jsonb, rollout jsonb)
    ),
    of_now as (
        update configs as c set value = n.value, rollout = n.rollout
        from named as n
        where c.id = n.id and c.version = n.version and c.sensitive
            and c.value is not distinct from n.old_value and c.rollout is not distinct from n.old_rollout
    ),
    of_history as (
        update config_versions as v set value = n.value, rollout = n.rollout
        from named as n
        where v.config_id = n.id and v.version = n.version and v.sensitive
            and v.value is not distinct from n.old_value and v.rollout is not distinct from n.old_rollout
        returning v.version
    )
    select count(*) into done from of_history;
    return done;
end
$$;

-- Stored changes with operations that should be sealed otherwise, by the positions of those.
create function trimtab_outdated_changes(most integer) returns table (id uuid, operations jsonb, positions jsonb)
language sql stable as $$
    select c.id, c.operations, found.positions
    from changes as c cross join lateral (
        select jsonb_agg(position - 1 order by position) as positions
        from jsonb_array_elements(c.operations) with ordinality as o(each, position)
        left join configs as known
            on known.app_id = each ->> 'app_id' and known.environment = each ->> 'environment'
            and known.key = each ->> 'key'
        where (coalesce((each ->> 'sensitive')::boolean, false) or coalesce(known.sensitive, false))
            and each ->> 'op' in ('put', 'rollout') and not each ? 'secret'
            and (not each ? 'sealed' or trimtab_outdated(each -> 'value'))
    ) as found
    where c.operations is not null and found.positions is not null
    limit most
$$;
