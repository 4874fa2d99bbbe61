-- The audit chain: how a record is hashed, added and checked.

-- Wait for our turn to write, and return the installation as the writer before us has left it.
--
-- The row is what is locked; the advisory lock before it is the queue. Those who wait for a row that changes with every
-- turn wake up to look for its newest version each time, and so get in each other's way.
create function trimtab_lock() returns installation language plpgsql as $$
declare
    head installation;
begin
    perform pg_advisory_xact_lock(8390884974569546347); -- "trimtabk" in ASCII
    select * into strict head from installation for update;
    return head;
end
$$;

-- The canonical bytes of a record: jsonb's own spelling. What a record does not say is left out.
create function trimtab_audit_canonical(record audit_logs) returns text
language sql stable parallel safe as $$
    select (jsonb_build_object(
        'seq', record.seq,
        'at', trimtab_instant(record.at),
        'actor', record.actor,
        'action', record.action,
        'revision', record.revision,
        'address', record.address,
        'request_id', record.request_id,
        'detail', record.detail
    ) || jsonb_strip_nulls(jsonb_build_object(
        'role', record.role,
        'user_agent', record.user_agent,
        'source', record.source,
        'object', record.object,
        'outcome', record.outcome
    )))::text
$$;

-- The hash of a record: over the hash before it and the record's canonical bytes.
create function trimtab_audit_hash(record audit_logs) returns bytea
language sql stable parallel safe as $$
    select sha256(record.previous_hash || convert_to(trimtab_audit_canonical(record), 'UTF8'))
$$;

-- What stands in a record for a sensitive value: HMAC-SHA256 with the installation's key, in hexadecimal.
create function trimtab_keyed_digest(value text) returns text
language sql stable parallel safe security definer as $$
    select encode(sha256(outer_pad || sha256(inner_pad || convert_to(value, 'UTF8'))), 'hex') from audit_key
$$;

-- Add one record at the head of the chain, and return the new head for the caller to keep: it holds the lock.
-- `who` is who acts: {principal, role, address, user_agent, request_id, source}.
create function trimtab_append(
    head installation, at timestamptz, who jsonb, action text, object text, outcome text, revision bigint, detail jsonb
) returns installation language plpgsql as $$
declare
    entry audit_logs;
begin
    entry := trimtab_record(head, at, who, action, object, outcome, revision, detail);
    insert into audit_logs select entry.*;
    head.audit_seq := entry.seq;
    head.audit_hash := entry.hash;
    return head;
end
$$;

-- The record that comes next in the chain, with its hash.
create function trimtab_record(
    head installation, at timestamptz, who jsonb, action text, object text, outcome text, revision bigint, detail jsonb
) returns audit_logs language plpgsql as $$
declare
    entry audit_logs;
begin
    entry.seq := head.audit_seq + 1;
    entry.at := at;
    entry.actor := who ->> 'principal';
    entry.role := who ->> 'role';
    entry.address := coalesce(who ->> 'address', '');
    entry.user_agent := who ->> 'user_agent';
    entry.request_id := coalesce(who ->> 'request_id', '');
    entry.source := who ->> 'source';
    entry.action := action;
    entry.object := object;
    entry.outcome := outcome;
    entry.revision := revision;
    entry.detail := detail;
    entry.previous_hash := head.audit_hash;
    entry.hash := trimtab_audit_hash(entry);
    return entry;
end
$$;

-- Audit what is no change. Takes the lock of the installation, so that concurrent writers keep one chain.
create function trimtab_audit(who jsonb, action text, object text, detail jsonb, outcome text default 'done')
returns bigint language plpgsql as $$
declare
    head installation;
begin
    head := trimtab_lock();
    head := trimtab_append(head, clock_timestamp(), who, action, object, outcome, null, detail);
    update installation set audit_seq = head.audit_seq, audit_hash = head.audit_hash;
    return head.audit_seq;
end
$$;

-- What the chain begins with: the last record that was archived, or the installation's own link before the first.
create function trimtab_audit_anchor(out seq bigint, out hash bytea) language sql stable as $$
    (select anchor.seq, anchor.hash from audit_anchors as anchor order by anchor.seq desc limit 1)
    union all
    (select 0, sha256(convert_to(installation.id::text, 'UTF8')) from installation)
    limit 1
$$;

-- The first record that is not what it was when it was written, or is missing; null if the chain is whole.
create function trimtab_audit_broken_at() returns bigint language sql stable as $$
    with anchor as (
        select * from trimtab_audit_anchor()
    ),
    chain as (
        select
            record.seq,
            record.seq = anchor.seq + row_number() over (order by record.seq) as in_place,
            record.hash = trimtab_audit_hash(record) as unaltered,
            record.previous_hash = lag(record.hash, 1, anchor.hash) over (order by record.seq) as linked
        from anchor join audit_logs as record on record.seq > anchor.seq
    )
    select coalesce(
        (select min(seq) from chain where not (in_place and unaltered and linked)),
        (select installation.audit_seq from installation, anchor
         where audit_seq <> greatest(anchor.seq, (select max(seq) from audit_logs)))
    )
$$;
