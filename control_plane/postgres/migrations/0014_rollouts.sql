-- Rollouts: the gradual exposure of a candidate over what a config has, and what happened to each of them.

-- The exposure that agents evaluate stands in the entry itself, and so in its versions; `refs` are the keys of segments
-- and configs that the entry's rules refer to.
alter table configs
    add column rollout jsonb,
    add column rollout_digest bigint not null default 0,
    add column refs text[] not null default '{}';
alter table config_versions add column rollout jsonb;

create index configs_refs on configs using gin (refs) where refs <> '{}';

-- One row for each rollout: where it is, how far it has come, and all else of it in `document`. `version` counts what
-- happened to it; `revision` is that of its last transition.
create table rollouts (
    id uuid primary key,
    app_id text collate "C" not null,
    environment text collate "C" not null,
    key text collate "C" not null,
    strategy text not null,
    phase text not null,
    version bigint not null,
    revision bigint,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    finished_at timestamptz,
    document jsonb not null
);

-- One rollout in exposure per config.
create unique index rollouts_exposed on rollouts (app_id, environment, key)
where phase in ('progressing', 'waiting', 'paused');
create index rollouts_open on rollouts (phase, created_at) where finished_at is null;
create index rollouts_listed on rollouts (created_at desc, id);
create index rollouts_of_config on rollouts (app_id, environment, key, created_at desc);

-- What happened, oldest first: transitions (with the revision of their change), approvals, measurements of gates.
create table rollout_events (
    rollout_id uuid not null references rollouts on delete cascade,
    seq bigint not null,
    at timestamptz not null,
    action text not null,
    principal text not null,
    phase text not null,
    step integer not null,
    revision bigint,
    detail jsonb not null,
    primary key (rollout_id, seq)
);

-- Plans with a name, to be used again.
create table rollout_templates (
    name text collate "C" primary key,
    description text not null,
    document jsonb not null,
    version bigint not null,
    created_at timestamptz not null,
    created_by text not null,
    updated_at timestamptz not null,
    updated_by text not null
);
