-- Tokens of operators and agents, as hashes.

create table credentials (
    id uuid primary key default gen_random_uuid(),
    role text not null check (role in ('operator', 'agent')),
    token_hash bytea not null unique check (length(token_hash) = 32),
    app_id text collate "C",
    environment text collate "C",
    description text not null default '',
    created_at timestamptz not null default clock_timestamp(),
    created_by text not null,
    revoked_at timestamptz,
    foreign key (app_id, environment) references environments,
    check ((role = 'agent') = (app_id is not null)),
    check ((role = 'agent') = (environment is not null))
);

create index credentials_of_agents on credentials (app_id, environment) where revoked_at is null;
