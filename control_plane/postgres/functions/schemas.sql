-- Schemas of configs: they are written under the lock, so that no change is committed against the ones before.

-- A schema as it is read everywhere.
create function trimtab_schema(kept schemas) returns jsonb language sql stable as $$
    select jsonb_build_object(
        'id', kept.id, 'app_id', kept.app_id, 'pattern', kept.pattern, 'document', kept.document,
        'description', kept.description, 'version', kept.version,
        'created_at', trimtab_instant(kept.created_at), 'created_by', kept.created_by,
        'updated_at', trimtab_instant(kept.updated_at), 'updated_by', kept.updated_by)
$$;

-- Whether something that a schema was checked against has moved: the environments, or an entry that it may be about.
create function trimtab_schema_stale(head installation, asked jsonb) returns boolean language sql stable as $$
    select head.rules_revision <> (asked ->> 'rules_revision')::bigint or (
        head.revision > (asked ->> 'checked_revision')::bigint and exists (
            select from configs
            where revision > (asked ->> 'checked_revision')::bigint and key like asked ->> 'like'
                and (app_id = '' or asked ->> 'app_id' in ('', app_id))))
$$;

-- Make (version 0) or alter a schema. Answers {"schema": …}, or why not: {"stale"}, {"exists"}, {"unknown"}, {"current"}.
create function trimtab_put_schema(who jsonb, asked jsonb) returns jsonb language plpgsql as $$
declare
    head installation;
    old schemas;
    kept schemas;
begin
    head := trimtab_lock();
    select * into old from schemas where id = (asked ->> 'id')::uuid;
    if (asked ->> 'version')::bigint <> coalesce(old.version, 0) then
        return jsonb_build_object('current', coalesce(old.version, 0));
    end if;
    if asked ->> 'app_id' <> '' and not exists (select from apps where app_id = asked ->> 'app_id') then
        return jsonb_build_object('unknown', asked ->> 'app_id');
    end if;
    if exists (
        select from schemas
        where app_id = asked ->> 'app_id' and pattern = asked ->> 'pattern' and id <> (asked ->> 'id')::uuid
    ) then
        return jsonb_build_object('exists', (
            select id from schemas where app_id = asked ->> 'app_id' and pattern = asked ->> 'pattern'));
    end if;
    if trimtab_schema_stale(head, asked) then
        return '{"stale": true}';
    end if;
    insert into schemas (id, app_id, pattern, document, description, created_by, updated_by)
    values (
        (asked ->> 'id')::uuid, asked ->> 'app_id', asked ->> 'pattern', asked -> 'document', asked ->> 'description',
        who ->> 'principal', who ->> 'principal'
    )
    on conflict (id) do update set
        app_id = excluded.app_id, pattern = excluded.pattern, document = excluded.document,
        description = excluded.description, version = schemas.version + 1,
        updated_at = clock_timestamp(), updated_by = excluded.updated_by
    returning * into kept;
    update installation set rules_revision = rules_revision + 1;
    perform trimtab_audit(
        who, case when old.id is null then 'schema.created' else 'schema.updated' end, 'schema:' || kept.id,
        jsonb_strip_nulls(jsonb_build_object(
            'before', case when old.id is not null then trimtab_schema(old) end, 'after', trimtab_schema(kept))));
    return jsonb_build_object('schema', trimtab_schema(kept));
end
$$;

-- Take a schema away, if its version is the expected one (null: whatever it is).
create function trimtab_drop_schema(who jsonb, gone uuid, expected bigint) returns jsonb language plpgsql as $$
declare
    old schemas;
begin
    perform trimtab_lock();
    select * into old from schemas where id = gone;
    if old.id is null or old.version <> expected then
        return jsonb_build_object('current', coalesce(old.version, 0));
    end if;
    delete from schemas where id = gone;
    update installation set rules_revision = rules_revision + 1;
    perform trimtab_audit(who, 'schema.deleted', 'schema:' || gone, jsonb_build_object('before', trimtab_schema(old)));
    return '{}';
end
$$;
