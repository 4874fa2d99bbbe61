-- Roles of this installation, and who was granted which role and how far.

create table roles (
    name text collate "C" primary key check (name ~ '^[a-z][a-z0-9-]{0,62}$'),
    permissions text[] not null,
    description text not null default '',
    version bigint not null check (version > 0),
    created_at timestamptz not null,
    created_by text not null,
    updated_at timestamptz not null,
    updated_by text not null
);

create table role_bindings (
    id uuid primary key default gen_random_uuid(),
    subject text collate "C" not null check (subject ~ '^(user|group|service):.'),
    role text collate "C" not null,
    reach text collate "C" not null,
    created_at timestamptz not null default clock_timestamp(),
    created_by text not null,
    unique (subject, role, reach)
);

-- Counts what happens to roles and bindings, so that a replica sees at a glance whether what it knows still holds.
alter table installation add column access_revision bigint not null default 0;

alter table credentials
    drop constraint credentials_role_check,
    add constraint credentials_role_check
        check (role in ('operator', 'agent', 'viewer', 'editor', 'approver', 'publisher', 'auditor', 'admin', 'member'));
