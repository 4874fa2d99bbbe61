-- Schemas of configs, and what changes are checked against having one revision with the environments in it.

create table schemas (
    id uuid primary key default gen_random_uuid(),
    app_id text collate "C" not null default '', -- '' for all applications
    pattern text collate "C" not null,
    document jsonb not null,
    description text not null default '',
    version bigint not null default 1,
    created_at timestamptz not null default clock_timestamp(),
    created_by text not null,
    updated_at timestamptz not null default clock_timestamp(),
    updated_by text not null,
    unique (app_id, pattern)
);

-- Which environments there are decides what a change reaches, so a draft is checked against that too.
create function trimtab_rules_moved() returns trigger language plpgsql as $$
begin
    update installation set rules_revision = rules_revision + 1 where exists (select from moved);
    return null;
end
$$;

create trigger environments_made after insert on environments
referencing new table as moved for each statement execute function trimtab_rules_moved();
create trigger environments_altered after update on environments
referencing new table as moved for each statement execute function trimtab_rules_moved();
create trigger environments_gone after delete on environments
referencing old table as moved for each statement execute function trimtab_rules_moved();
create trigger apps_altered after update on apps
referencing new table as moved for each statement execute function trimtab_rules_moved();
