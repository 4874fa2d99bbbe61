-- Keys with which the installation signs; their private halves are encrypted under a key that is not in the database.

create table signing_keys (
    purpose text not null check (purpose in ('tokens', 'messages')),
    generation integer not null check (generation > 0),
    kid text collate "C" not null unique,
    public bytea not null check (length(public) = 32),
    private bytea not null,
    encrypted_by text not null,
    created_at timestamptz not null,
    signs_from timestamptz not null,
    primary key (purpose, generation)
);
