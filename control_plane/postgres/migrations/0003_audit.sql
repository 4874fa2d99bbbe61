-- The audit chain: each record carries the hash of the one before it, so that nothing can be altered unseen.

create table audit_logs (
    seq bigint primary key check (seq > 0),
    at timestamptz not null,
    actor text not null,
    action text not null,
    revision bigint,
    address text not null,
    request_id text not null,
    detail jsonb not null,
    previous_hash bytea not null,
    hash bytea not null
);

create trigger audit_logs_append_only before update or delete or truncate on audit_logs
for each statement execute function trimtab_refuse();

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

-- The hash of a record: over the hash before it and the record's canonical bytes (jsonb's own spelling).
create function trimtab_audit_hash(record audit_logs) returns bytea
language sql stable parallel safe as $$
    select sha256(record.previous_hash || convert_to(jsonb_build_object(
        'seq', record.seq,
        'at', trimtab_instant(record.at),
        'actor', record.actor,
        'action', record.action,
        'revision', record.revision,
        'address', record.address,
        'request_id', record.request_id,
        'detail', record.detail
    )::text, 'UTF8'))
$$;

-- Add one record at the head of the chain, and return the new head for the caller to keep: it holds the lock.
create function trimtab_append(
    head installation, at timestamptz, actor text, action text, revision bigint, address text, request_id text,
    detail jsonb
) returns installation language plpgsql as $$
declare
    entry audit_logs;
begin
    entry := row(
        head.audit_seq + 1, at, actor, action, revision, address, request_id, detail, head.audit_hash, ''::bytea
    );
    entry.hash := trimtab_audit_hash(entry);
    insert into audit_logs select entry.*;
    head.audit_seq := entry.seq;
    head.audit_hash := entry.hash;
    return head;
end
$$;

-- Audit what is no change. Takes the lock of the installation, so that concurrent writers keep one chain.
create function trimtab_audit(
    actor text, action text, address text, request_id text, detail jsonb
) returns bigint language plpgsql as $$
declare
    head installation;
begin
    head := trimtab_lock();
    head := trimtab_append(head, clock_timestamp(), actor, action, null, address, request_id, detail);
    update installation set audit_seq = head.audit_seq, audit_hash = head.audit_hash;
    return head.audit_seq;
end
$$;

-- The first record that is not what it was when it was written, or is missing; null if the chain is whole.
create function trimtab_audit_broken_at() returns bigint language sql stable as $$
    with chain as (
        select
            record.seq,
            record.seq = row_number() over (order by record.seq) as in_place,
            record.hash = trimtab_audit_hash(record) as unaltered,
            record.previous_hash = lag(record.hash, 1, sha256(convert_to(installation.id::text, 'UTF8')))
                over (order by record.seq) as linked
        from audit_logs as record, installation
    )
    select coalesce(
        (select min(seq) from chain where not (in_place and unaltered and linked)),
        (select audit_seq from installation
         where audit_seq <> (select coalesce(max(seq), 0) from audit_logs))
    )
$$;
