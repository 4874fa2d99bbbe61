-- Tokens that are no good any more before their time: those of a subject that were issued before a moment.

create table revocations (
    subject text collate "C" primary key,
    before timestamptz not null,
    reason text not null,
    revoked_by text not null
);

-- A signing key that took over at once, because the one before had leaked: that one is trusted no longer.
alter table signing_keys add column abrupt boolean not null default false;
