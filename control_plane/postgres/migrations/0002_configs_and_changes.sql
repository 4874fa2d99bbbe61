-- What stands in each scope now, every version of it, the changes that made them, and the outbox.
--
-- No check constraints: PostgreSQL reads them anew for every statement that writes to a table, and they took a third of
-- a commit. Only `trimtab_commit` writes here; keys are checked there, and scopes by the registry that they stand in.

-- What each scope is at. A scope that nothing ever touched has no row.
create table scopes (
    app_id text collate "C" not null default '',
    environment text collate "C" not null default '',
    previous bigint not null,
    revision bigint not null,
    digest bigint not null,
    primary key (app_id, environment)
) with (fillfactor = 50);

-- The current entries. A deleted one stays as a tombstone: deltas tell of it, and its versions count on.
create table configs (
    id uuid primary key default gen_random_uuid(),
    app_id text collate "C" not null default '',
    environment text collate "C" not null default '',
    key text collate "C" not null,
    kind text not null,
    value jsonb,
    value_digest bigint not null,
    sensitive boolean not null,
    description text not null default '',
    version bigint not null,
    revision bigint not null,
    deleted boolean not null,
    updated_at timestamptz not null,
    updated_by text not null,
    unique (app_id, environment, key)
);

-- Deltas: what changed in a scope since a revision.
create index configs_delta on configs (app_id, environment, revision);
-- Listing by prefix over all scopes; collation "C" makes a prefix a range.
create index configs_key on configs (key, app_id, environment);

-- One row for each atomic change. Only committed ones exist so far; the other states are reserved.
create table changes (
    id bigint generated always as identity primary key,
    state text not null default 'committed', -- or draft, pending, scheduled, rejected, withdrawn
    revision bigint unique,
    author text not null,
    message text not null,
    source text not null,
    committed_at timestamptz,
    request_id text not null,
    address text not null
);

-- The scopes of each change, with what a message says about them.
create table change_scopes (
    revision bigint not null,
    app_id text collate "C" not null,
    environment text collate "C" not null,
    previous bigint not null,
    digest bigint not null,
    primary key (revision, app_id, environment)
);

create index change_scopes_app on change_scopes (app_id, revision desc);

-- Every version of every entry. No foreign keys: only `trimtab_commit` writes here, 500 rows at a time.
create table config_versions (
    config_id uuid not null,
    version bigint not null,
    revision bigint not null,
    position integer not null,
    op text not null,
    kind text not null,
    value jsonb,
    sensitive boolean not null,
    primary key (config_id, version),
    unique (revision, position)
);

create trigger change_scopes_append_only before update or delete or truncate on change_scopes
for each statement execute function trimtab_refuse();
create trigger config_versions_append_only before update or delete or truncate on config_versions
for each statement execute function trimtab_refuse();

-- What the relay still has to publish. Holds no value: messages are built from the versions.
create table outbox (
    revision bigint not null,
    scope text collate "C" not null,
    committed_at timestamptz not null,
    published_at timestamptz,
    primary key (revision, scope)
) with (autovacuum_vacuum_scale_factor = 0.05);

create index outbox_unpublished on outbox (revision) where published_at is null;

-- Results of requests that carried an Idempotency-Key, for as long as they may be sent again.
create table idempotency_keys (
    author text not null,
    key text not null,
    request_hash text not null,
    result jsonb not null,
    created_at timestamptz not null,
    primary key (author, key)
);

create index idempotency_keys_age on idempotency_keys (created_at);
