-- Named snapshots: what is named and forgotten is audited in the same transaction.


-- Name a revision: the given one, the last one at `moment`, or the latest. Says which it was, and whether it is ours.
create function trimtab_name_snapshot(
    wanted text, wanted_revision bigint, moment timestamptz, about text, who jsonb,
    out known boolean, out taken boolean, out pinned bigint
) language plpgsql as $$
declare
    head installation := trimtab_lock();
begin
    pinned := coalesce(wanted_revision, case
        when moment is null then head.revision
        else trimtab_revision_at(moment)
    end);
    known := pinned between 0 and head.revision;
    taken := exists (select from named_snapshots where name = wanted);
    if known and not taken then
        insert into named_snapshots (name, revision, description, created_by)
        values (wanted, pinned, about, who ->> 'principal');
        perform trimtab_audit(
            who, 'named-snapshot.created', 'named-snapshot:' || wanted,
            jsonb_build_object('name', wanted, 'revision', pinned, 'description', about)
        );
    end if;
end
$$;

-- Forget a name; whether there was one.
create function trimtab_forget_snapshot(wanted text, who jsonb) returns boolean language plpgsql as $$
declare
    pinned bigint;
begin
    perform trimtab_lock();
    delete from named_snapshots where name = wanted returning revision into pinned;
    if pinned is not null then
        perform trimtab_audit(
            who, 'named-snapshot.deleted', 'named-snapshot:' || wanted,
            jsonb_build_object('name', wanted, 'revision', pinned)
        );
    end if;
    return pinned is not null;
end
$$;
