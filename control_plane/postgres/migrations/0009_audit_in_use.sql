-- The audit chain is read, archived and pruned.
--
-- A commit writes one record, so its indexes are few and grow at their ends: by time, by revision, and by who acted.
-- What is no commit is rare beside the commits, and indexed apart from them.

create index audit_logs_at on audit_logs (at);
create index audit_logs_actor on audit_logs (actor, seq);
create index audit_logs_revision on audit_logs (revision) where revision is not null;
create index audit_logs_acts on audit_logs (seq) where action <> 'change.committed';
create index audit_logs_objects on audit_logs (object, seq) where action <> 'change.committed';

-- Up to where the chain was archived and taken away: it goes on from the last of these.
create table audit_anchors (
    seq bigint primary key check (seq > 0),
    hash bytea not null check (length(hash) = 32),
    count bigint not null check (count > 0), -- of the records archived with it
    archived_at timestamptz not null,
    archived_by text not null
);

create trigger audit_anchors_append_only before update or delete or truncate on audit_anchors
for each statement execute function trimtab_refuse();

-- Records go only where an anchor stands for them.
create function trimtab_refuse_unanchored() returns trigger language plpgsql as $$
begin
    if exists (select from pruned where seq > (select coalesce(max(seq), 0) from audit_anchors)) then
        raise exception '% is append only', tg_table_name using errcode = 'insufficient_privilege';
    end if;
    return null;
end
$$;

drop trigger audit_logs_append_only on audit_logs;
create trigger audit_logs_append_only before update or truncate on audit_logs
for each statement execute function trimtab_refuse();
create trigger audit_logs_anchored after delete on audit_logs referencing old table as pruned
for each statement execute function trimtab_refuse_unanchored();

-- The roles under which replicas run with no more rights than they need; each migration grants these anew.
create table service_roles (
    name text primary key
);
