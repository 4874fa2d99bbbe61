-- Looking back: what stood where at a revision. Nothing is kept for it but the versions, so commits pay nothing.
--
-- Versions of a config have no gaps, and so have revisions; both only grow, and time grows with them. So what was
-- current at a revision or an instant is found by halving, in as many look-ups as its number of versions has bits.

-- The last revision committed at or before a moment; 0 where there is none.
create function trimtab_revision_at(moment timestamptz) returns bigint language plpgsql stable as $$
declare
    before bigint := 0;
    after bigint := (select installation.revision + 1 from installation);
    middle bigint;
begin
    while after - before > 1 loop
        middle := (before + after) / 2;
        if (select changes.committed_at <= moment from changes where changes.revision = middle) then
            before := middle;
        else
            after := middle;
        end if;
    end loop;
    return before;
end
$$;

-- The last version of a config made at or before a revision; 0 where there is none. `known` was made after it, if ever.
create function trimtab_version_at(config uuid, known bigint, at_revision bigint) returns bigint
language plpgsql stable as $$
declare
    before bigint := 0;
    after bigint := known;
    middle bigint;
begin
    while after - before > 1 loop
        middle := (before + after) / 2;
        if (
            select v.revision <= at_revision from config_versions as v
            where v.config_id = config and v.version = middle
        ) then
            before := middle;
        else
            after := middle;
        end if;
    end loop;
    return before;
end
$$;

-- These configs as they stood at a revision, with the change that left each so. One without a version then has no row.
-- Most have few versions that are newer: the newest are looked through first, and only what lies before them is halved.
create function trimtab_entries_at(ids uuid[], at_revision bigint) returns table (
    id uuid, app_id text, environment text, key text, version bigint, revision bigint, op text,
    kind text, value jsonb, rollout jsonb, sensitive boolean, author text, message text, committed_at timestamptz
) language sql stable as $$
    select
        c.id, c.app_id, c.environment, c.key, then_.version, then_.revision, then_.op,
        then_.kind, then_.value, then_.rollout, then_.sensitive, changes.author, changes.message, changes.committed_at
    from configs as c
    cross join lateral (
        select v.version, v.revision, v.op, v.kind, v.value, v.rollout, v.sensitive
        from config_versions as v
        where v.config_id = c.id and v.version = case
            when c.revision <= at_revision then c.version
            else coalesce((
                select near.version from config_versions as near
                where near.config_id = c.id and near.version between c.version - 16 and c.version - 1
                    and near.revision <= at_revision
                order by near.version desc limit 1
            ), trimtab_version_at(c.id, c.version - 16, at_revision)) end
        limit 1
    ) as then_
    join changes on changes.revision = then_.revision
    where c.id = any(ids)
    order by c.key, c.app_id, c.environment
$$;
