-- Hashes of tokens are keyed, with a key that is not in the database. API keys say from where they may be used, were used, and
-- for how long the secret before the present one still works.
--
-- A hash that is not keyed yet is replaced when its token is shown next.
alter table credentials
    add column keyed boolean not null default false,
    add column hint text not null default '' check (length(hint) <= 32),
    add column addresses text[] not null default '{}',
    add column former_hash bytea unique check (length(former_hash) = 32),
    add column former_until timestamptz,
    add column rotated_at timestamptz,
    add column last_used_at timestamptz,
    add column last_used_from text not null default '',
    add check ((former_hash is null) = (former_until is null));
