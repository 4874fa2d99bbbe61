-- Sensitive values lie encrypted. The keys for that are here, encrypted themselves under one that is not.

create table data_keys (
    id uuid primary key,
    purpose text not null check (purpose in ('values', 'digests')),
    app_id text collate "C" not null,
    environment text collate "C" not null,
    wrapped bytea not null,
    encrypted_by text not null,
    created_at timestamptz not null default clock_timestamp(),
    retired_at timestamptz
);

create unique index data_keys_current on data_keys (purpose, app_id, environment) where retired_at is null;

-- Versions are never changed, but for one thing: a value that is sensitive is sealed, or sealed under another key.
create function trimtab_refuse_unsealed() returns trigger language plpgsql as $$
begin
    if (new.config_id, new.version, new.revision, new.position, new.op, new.kind, new.sensitive)
            is distinct from (old.config_id, old.version, old.revision, old.position, old.op, old.kind, old.sensitive)
        or not new.sensitive
        or (new.value is null) <> (old.value is null)
        or (new.rollout is null) <> (old.rollout is null)
        or (new.rollout - 'candidate') is distinct from (old.rollout - 'candidate')
        or not coalesce(new.value ? '$sealed', true)
        or not coalesce(new.rollout -> 'candidate' ? '$sealed', true)
    then
        raise exception 'versions are append only' using errcode = 'insufficient_privilege';
    end if;
    return new;
end
$$;

drop trigger config_versions_append_only on config_versions;
create trigger config_versions_append_only before delete or truncate on config_versions
for each statement execute function trimtab_refuse();
create trigger config_versions_sealed_only before update on config_versions
for each row execute function trimtab_refuse_unsealed();

-- What is still to be sealed is found without reading everything.
create index config_versions_sensitive on config_versions (config_id, version) where sensitive;
