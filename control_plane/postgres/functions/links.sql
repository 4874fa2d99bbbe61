-- What refers to what. An entry's `refs` are the keys of configs that its rules refer to, and `segment:` with the keys
-- of segments; `control_plane/domain/links.py` decides whether they lead somewhere, and here it is found out whether that
-- has to be decided, and whether it still holds. Sequential scans are off, because the planner may not know how few
-- entries refer to anything.

-- The key that a reference is to.
create function trimtab_referred(ref text) returns text language sql immutable parallel safe as $$
    select case when ref like 'segment:%' then substr(ref, 9) else ref end
$$;

-- The keys of all live entries that refer to a key; some come several times.
create function trimtab_referring(wanted text) returns table (key text) language plpgsql stable
set enable_seqscan = off set jit = off as $$
begin
    return query select configs.key from configs
    where configs.refs <> '{}' and configs.refs && array[wanted, 'segment:' || wanted];
end
$$;

-- What an entry is for those who refer to it.
create function trimtab_meaning(kind text, live boolean) returns text language sql immutable parallel safe as $$
    select case when not live then 'nothing' when kind in ('mask', 'segment', 'inherit') then kind else 'config' end
$$;

-- Whether steps may leave a reference that leads nowhere, or in a circle, so that somebody has to look. `moved` are the
-- keys that become, or cease to be, something to refer to.
create function trimtab_relinks(steps trimtab_step[]) returns boolean language plpgsql stable
set enable_seqscan = off set jit = off as $$
declare
    moved text[] := array(
        select step.key from unnest(steps) as step
        where trimtab_meaning(step.old_kind, step.old_live) <> trimtab_meaning(step.kind, not step.deleted));
begin
    return exists (select from unnest(steps) as step where step.refs <> '{}')
        or exists (
            select from configs
            where configs.refs <> '{}'
                and configs.refs && (moved || array(select 'segment:' || each from unnest(moved) as each)))
        or exists (select from configs where configs.key = any(moved) and configs.refs <> '{}');
end
$$;

-- Whether one of the keys that references were followed to, or something new that refers to the steps' keys, is newer
-- than what was seen then.
create function trimtab_links_moved(steps trimtab_step[], linked text[], checked_revision bigint) returns boolean
language plpgsql stable set enable_seqscan = off set jit = off as $$
declare
    own text[] := array(select step.key from unnest(steps) as step);
begin
    return exists (select from configs where configs.key = any(linked) and configs.revision > checked_revision)
        or exists (
            select from configs
            where configs.refs <> '{}'
                and configs.refs && (own || array(select 'segment:' || each from unnest(own) as each))
                and configs.revision > checked_revision);
end
$$;

-- The entries of some keys, in the global scope and some applications (null: all), of all that these keys and `more` refer
-- to in the end, and of all that refers to them in the end. Each look-up is one by index, whatever the planner thinks.
create function trimtab_links(touched text[], more text[], apps text[]) returns table (
    app_id text, environment text, key text, kind text, refs text[]
) language plpgsql stable
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
set plan_cache_mode = force_generic_plan as $$
begin
    return query
    with recursive forward(key) as (
        select unnest(touched || more)
        union
        select trimtab_referred(ref)
        from forward
        join configs as c on c.key = forward.key and c.refs <> '{}' and not c.deleted
            and (apps is null or c.app_id = '' or c.app_id = any(apps))
        cross join lateral unnest(c.refs) as ref
    ),
    backward(key) as (
        select unnest(touched)
        union
        select found.key from backward cross join lateral trimtab_referring(backward.key) as found
    )
    select c.app_id, c.environment, c.key, c.kind, c.refs
    from (select forward.key from forward union select backward.key from backward) as around
    join configs as c on c.key = around.key and not c.deleted
        and (apps is null or c.app_id = '' or c.app_id = any(apps));
end
$$;
