-- How the audit chain is read: found, exported, archived and pruned.

-- A record as exports have it: its canonical bytes, with the two hashes before the closing brace. Whoever takes these
-- off again (their length is fixed) can compute the record's hash.
create function trimtab_audit_line(record audit_logs) returns text
language sql stable parallel safe as $$
    select left(trimtab_audit_canonical(record), -1)
        || ', "previous_hash": "' || encode(record.previous_hash, 'hex')
        || '", "hash": "' || encode(record.hash, 'hex') || '"}'
$$;

-- Whether a record has what is `wanted`; what is not in there does not matter.
create function trimtab_audit_has(record audit_logs, wanted jsonb) returns boolean
language sql stable parallel safe as $$
    select (wanted ->> 'actor' is null or record.actor = wanted ->> 'actor')
        and (wanted ->> 'action' is null or starts_with(record.action, wanted ->> 'action'))
        and (wanted ->> 'outcome' is null or record.outcome = wanted ->> 'outcome')
        and (wanted ->> 'source' is null or record.source = wanted ->> 'source')
        and (wanted ->> 'request_id' is null or record.request_id = wanted ->> 'request_id')
        and (wanted ->> 'revision' is null or record.revision = (wanted ->> 'revision')::bigint)
        and (wanted ->> 'since' is null or record.at >= (wanted ->> 'since')::timestamptz)
        and (wanted ->> 'until' is null or record.at < (wanted ->> 'until')::timestamptz)
$$;

-- What must be true of a commit, and of any other record, to be about the key, the application and the object that are
-- wanted. Commits are found by their revisions: the scopes and versions that they wrote are indexed already.
create function trimtab_audit_conditions(wanted jsonb, out commits text, out others text)
language plpgsql immutable as $$
begin
    commits := 'true';
    others := 'true';
    if wanted ? 'key' then
        commits := commits || ' and record.revision in (
            select v.revision from configs as c join config_versions as v on v.config_id = c.id
            where c.key = $1 ->> ''key''
                and ($1 ->> ''app_id'' is null or c.app_id = $1 ->> ''app_id'')
                and ($1 ->> ''environment'' is null or c.environment = $1 ->> ''environment''))';
        others := others || ' and record.detail ->> ''key'' = $1 ->> ''key''';
    end if;
    if wanted ? 'app_id' then
        commits := commits || ' and record.revision in (
            select s.revision from change_scopes as s
            where s.app_id = $1 ->> ''app_id''
                and ($1 ->> ''environment'' is null or s.environment = $1 ->> ''environment''))';
        others := others || case when wanted ? 'environment'
            then ' and (record.detail ->> ''app_id'' = $1 ->> ''app_id''
                    and record.detail ->> ''environment'' = $1 ->> ''environment''
                or record.object collate "C" = trimtab_scope($1 ->> ''app_id'', $1 ->> ''environment''))'
            else ' and (record.detail ->> ''app_id'' = $1 ->> ''app_id''
                or record.object collate "C" = ''app.'' || ($1 ->> ''app_id'')
                or record.object collate "C" >= ''env.'' || ($1 ->> ''app_id'') || ''.''
                    and record.object collate "C" < ''env.'' || ($1 ->> ''app_id'') || ''/'')' end; -- '/' follows '.'
    end if;
    if wanted ? 'object' then
        commits := commits || case when wanted ->> 'object' ~ '^change:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
            then ' and record.revision = (
                select c.revision from changes as c where c.id = substring($1 ->> ''object'' from 8)::uuid)'
            else ' and false' end;
        others := others || ' and record.object collate "C" = $1 ->> ''object''';
    end if;
end
$$;

-- Up to `many` of the records between `after` and `before` that have what is wanted, in the order of `direction`.
-- The statement is planned for what is wanted each time: what is not, must not stand in the way of an index.
create function trimtab_audit_find(wanted jsonb, after bigint, before bigint, many integer, direction text)
returns setof audit_logs language plpgsql stable as $$
declare
    conditions record;
begin
    if wanted ?| '{key, app_id, object}' then
        select * into conditions from trimtab_audit_conditions(wanted);
        return query execute format(
            'select * from (
                (select record.* from audit_logs as record
                 where action = ''change.committed'' and %2$s
                    and seq > $2 and seq < $3 and trimtab_audit_has(record, $1)
                 order by seq %1$s limit $4)
                union all
                (select record.* from audit_logs as record
                 where action <> ''change.committed'' and %3$s
                    and seq > $2 and seq < $3 and trimtab_audit_has(record, $1)
                 order by seq %1$s limit $4)
             ) as found order by seq %1$s limit $4', direction, conditions.commits, conditions.others
        ) using wanted, after, before, many;
    else
        return query execute format(
            'select record.* from audit_logs as record
             where seq > $2 and seq < $3 and trimtab_audit_has(record, $1) order by seq %1$s limit $4', direction
        ) using wanted, after, before, many;
    end if;
end
$$;

-- Let an export take the place of the records up to `through`. Who asks shows by the hash of the last one that he has
-- it. Returns how many records it stands for and since when, or why not, as {"state": …, "detail": …}.
--
-- This and `trimtab_audit_prune` are the only ways to take records away, and run with the rights of the owner.
create function trimtab_audit_archive(who jsonb, through bigint, last_hash bytea) returns jsonb
language plpgsql security definer as $$
declare
    head installation;
    anchor record;
    held bytea;
    found_ bigint;
    now_ timestamptz;
begin
    -- Records never change, so they are counted before others have to wait for us.
    select * into anchor from trimtab_audit_anchor();
    select count(*) into found_ from audit_logs where seq > anchor.seq and seq <= through;
    head := trimtab_lock();
    now_ := clock_timestamp();
    select hash into held from audit_logs where seq = through and seq > (select a.seq from trimtab_audit_anchor() as a);
    if held is null then
        return jsonb_build_object('state', 'TT404', 'detail',
            jsonb_build_object('kind', 'audit record', 'name', through::text));
    elsif held <> last_hash then
        return jsonb_build_object('state', 'TT409', 'detail',
            jsonb_build_object('reason', 'audit-hash', 'seq', through));
    elsif anchor.seq <> (select a.seq from trimtab_audit_anchor() as a) then
        return jsonb_build_object('state', 'TT409', 'detail', jsonb_build_object('reason', 'audit-archived'));
    elsif found_ <> through - anchor.seq then
        return jsonb_build_object('state', 'TT409', 'detail',
            jsonb_build_object('reason', 'audit-gap', 'missing', through - anchor.seq - found_));
    end if;
    head := trimtab_append(head, now_, who, 'audit.archived', 'audit:' || through, 'done', null,
        jsonb_build_object('through', through, 'hash', encode(held, 'hex'), 'after', anchor.seq, 'count', found_));
    insert into audit_anchors (seq, hash, count, archived_at, archived_by)
    values (through, held, found_, now_, who ->> 'principal');
    update installation set audit_seq = head.audit_seq, audit_hash = head.audit_hash;
    return jsonb_build_object('count', found_, 'archived_at', trimtab_instant(now_));
end
$$;

-- Take away up to `many` of the records that an anchor stands for; returns how many these were. Readers begin at the
-- anchor, so nobody waits for this.
create function trimtab_audit_prune(many integer) returns bigint
language sql security definer as $$
    with pruned as (
        delete from audit_logs where seq in (
            select seq from audit_logs where seq <= (select coalesce(max(seq), 0) from audit_anchors)
            order by seq limit many)
        returning seq
    )
    select count(*) from pruned
$$;
