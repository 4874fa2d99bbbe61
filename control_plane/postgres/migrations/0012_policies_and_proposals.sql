-- Policies, and what is known of a change between its making and its end.

create table policies (
    id uuid primary key default gen_random_uuid(),
    name text collate "C" not null unique,
    pattern text collate "C" not null,
    document jsonb not null, -- all else that it says
    version bigint not null default 1,
    created_at timestamptz not null default clock_timestamp(),
    created_by text not null,
    updated_at timestamptz not null default clock_timestamp(),
    updated_by text not null
);

alter table changes
    add column author_role text,
    add column writers text[], -- of the edition, as far as anything of theirs is in it
    add column moves integer not null default 0, -- counts what happened to it until it is committed
    add column expires_at timestamptz,
    add column failure jsonb,
    add column break_glass text; -- why it was committed past its policies

create index changes_due on changes (scheduled_at) where state = 'scheduled';
create index changes_overdue on changes (least(expires_at, scheduled_at)) where state = 'pending';
create index changes_stored on changes (created_at, id) where created_at is not null;

-- What approvers said of an edition of a change.
create table approvals (
    change_id uuid not null references changes,
    edition integer not null,
    principal text not null,
    role text not null,
    approved boolean not null,
    comment text not null,
    at timestamptz not null,
    primary key (change_id, edition, principal)
);

-- Commits past their policies: each is open until a second person closes it.
create table reviews (
    id uuid primary key default gen_random_uuid(),
    change_id uuid not null references changes,
    reason text not null,
    policies text[] not null,
    opened_by text not null,
    opened_at timestamptz not null,
    closed_by text,
    closed_at timestamptz,
    comment text not null default ''
);

create index reviews_in_order on reviews (opened_at desc, id);
create index reviews_open on reviews (opened_at desc, id) where closed_at is null;
