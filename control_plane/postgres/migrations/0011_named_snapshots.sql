-- Revisions that people gave a name. Nothing ever removes versions, so what stood at a revision can always be read.

create table named_snapshots (
    name text collate "C" primary key,
    revision bigint not null,
    description text not null,
    created_at timestamptz not null default clock_timestamp(),
    created_by text not null
);
