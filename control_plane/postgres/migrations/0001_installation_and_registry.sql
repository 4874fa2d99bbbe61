-- The installation, its applications and environments, and how a scope is spelled.

-- One row. Whoever writes anything that is attributed locks it first: it hands out revisions in commit order,
-- keeps the time of commits from running backwards, and holds the head of the audit chain.
create table installation (
    singleton boolean primary key default true check (singleton),
    id uuid not null default gen_random_uuid(),
    revision bigint not null default 0 check (revision >= 0),
    committed_at timestamptz not null default clock_timestamp(),
    audit_seq bigint not null default 0 check (audit_seq >= 0),
    audit_hash bytea not null default sha256('')
) with (fillfactor = 10); -- room for updates in place: every commit makes a new version of this row

insert into installation default values;

-- The first link of the chain is the installation's own, so that records cannot be moved between installations.
update installation set audit_hash = sha256(convert_to(id::text, 'UTF8'));

create table apps (
    app_id text collate "C" primary key check (app_id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    description text not null default '',
    created_at timestamptz not null default clock_timestamp(),
    created_by text not null
);

create table environments (
    app_id text collate "C" not null references apps,
    environment text collate "C" not null check (environment ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    created_at timestamptz not null default clock_timestamp(),
    created_by text not null,
    primary key (app_id, environment)
);

-- In every table below a scope is the pair (app_id, environment), with '' where it stands above the application or
-- the environment. Unlike NULL that compares as equal everywhere: in keys, joins, page cursors and upserts.

-- The one spelling of a scope in messages and records.
create function trimtab_scope(app_id text, environment text) returns text
language sql immutable parallel safe as $$
    select case
        when app_id = '' then 'global'
        when environment = '' then 'app.' || app_id
        else 'env.' || app_id || '.' || environment
    end
$$;

-- A moment as text that depends on no setting of the session.
create function trimtab_instant(moment timestamptz) returns text
language sql stable parallel safe as $$
    select to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')
$$;

-- The trigger of tables to which rows are only ever added.
create function trimtab_refuse() returns trigger language plpgsql as $$
begin
    raise exception '% is append only', tg_table_name using errcode = 'insufficient_privilege';
end
$$;
