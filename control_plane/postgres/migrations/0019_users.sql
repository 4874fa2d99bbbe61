-- Accounts of people. A password is kept as an argon2 hash, with the parameters by which it was made.

create table users (
    id uuid primary key default gen_random_uuid(),
    name text collate "C" not null unique check (name ~ '^[a-z0-9][a-z0-9._@+-]{0,126}$'),
    display_name text not null default '',
    password_hash text,
    issuer text collate "C",
    subject text collate "C",
    generation integer not null default 1,
    created_at timestamptz not null default clock_timestamp(),
    created_by text not null,
    disabled_at timestamptz,
    password_changed_at timestamptz,
    last_login_at timestamptz,
    unique (issuer, subject),
    check ((issuer is null) = (subject is null)),
    check ((issuer is null) = (password_hash is not null))
);
