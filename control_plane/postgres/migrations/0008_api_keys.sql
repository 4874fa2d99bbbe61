-- Keys of people and machines: credentials with a name, under which they act, and a role.

alter table credentials
    drop constraint credentials_role_check,
    add column name text collate "C" check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    add column expires_at timestamptz,
    add check (role in ('operator', 'agent', 'viewer', 'editor', 'approver', 'publisher', 'auditor', 'admin')),
    add check ((role in ('operator', 'agent')) = (name is null));

create unique index credentials_by_name on credentials (name) where revoked_at is null;
