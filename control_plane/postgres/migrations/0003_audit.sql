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
    hash bytea not null unique
);

create index audit_logs_revision on audit_logs (revision);

create trigger audit_logs_append_only before update or delete or truncate on audit_logs
for each statement execute function trimtab_refuse();

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

-- Add one record; takes the lock of the installation, so that concurrent writers keep one chain.
create function trimtab_audit(
    actor text, action text, detail jsonb,
    revision bigint default null, address text default '', request_id text default '', at timestamptz default null
) returns bigint language plpgsql as $$
declare
    head installation;
    entry audit_logs;
begin
    select * into strict head from installation for update;
    entry := row(
        head.audit_seq + 1, coalesce(at, clock_timestamp()), actor, action, revision, address, request_id, detail,
        head.audit_hash, ''::bytea
    );
    entry.hash := trimtab_audit_hash(entry);
    insert into audit_logs select entry.*;
    update installation set audit_seq = entry.seq, audit_hash = entry.hash;
    return entry.seq;
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
