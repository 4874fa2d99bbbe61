-- Changes that are not committed yet, records that say more of who acted, and what people say about a config.
--
-- From here on functions are no part of migrations: those in `functions/` take the place of all that came before.

-- A change is known by its id from the beginning, and by its revision once it is committed.
alter table changes drop column id;
alter table changes
    add column id uuid primary key default gen_random_uuid(),
    add column labels jsonb not null default '{}',
    add column reverts bigint, -- the revision that this change undoes
    add column committed_by text, -- where that is not the author
    add column forced jsonb, -- why guards were overridden, and which
    add column edition integer not null default 1, -- counts its edits until it is committed
    add column operations jsonb, -- until it is committed; then the versions hold them
    add column base_revision bigint,
    add column scheduled_at timestamptz,
    add column created_at timestamptz,
    add column updated_at timestamptz;

create index changes_open on changes (state, updated_at) where revision is null;

alter table configs
    add column owner text not null default '',
    add column labels jsonb not null default '{}';

alter table apps add column archived_at timestamptz;
alter table environments add column archived_at timestamptz;

-- What a change was checked against (policies, schemas) is at this revision: whoever alters one of those counts it up.
alter table installation add column rules_revision bigint not null default 0;

-- Records from before have no value in these columns, and their hashes leave them out.
alter table audit_logs
    add column role text,
    add column user_agent text,
    add column source text,
    add column object text,
    add column outcome text;

-- The key of the digests that stand in records for sensitive values (HMAC-SHA256, its two pads already mixed in):
-- they show that a secret changed, and nothing else.
create table audit_key (
    singleton boolean primary key default true check (singleton),
    inner_pad bytea not null check (length(inner_pad) = 64),
    outer_pad bytea not null check (length(outer_pad) = 64)
);

do $$
declare
    key bytea := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
        || decode(repeat('00', 32), 'hex');
    inner_pad bytea := key;
    outer_pad bytea := key;
begin
    for i in 0 .. 63 loop
        inner_pad := set_byte(inner_pad, i, get_byte(key, i) # 54);
        outer_pad := set_byte(outer_pad, i, get_byte(key, i) # 92);
    end loop;
    insert into audit_key (inner_pad, outer_pad) values (inner_pad, outer_pad);
end
$$;

-- What a stored result of an Idempotency-Key said before this migration has no id of its change; nobody can replay it.
delete from idempotency_keys where result ? 'revision' and not result ? 'id';
