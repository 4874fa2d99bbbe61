-- The short way for the commonest change: another value of the same type for one config that is there.
--
-- The rows and the answer are those of `trimtab_commit`, to which everything else is left: what that does with arrays,
-- for any number of drafts and operations, is done here with plain values, at little more than half the price.

-- Whether a draft says nothing but which value to put where. A member that is not known here is a reason to say no.
create function trimtab_plain(draft jsonb, put jsonb) returns boolean language sql immutable parallel safe as $$
    select put ->> 'op' = 'put'
        and draft ->> 'author' = draft #>> '{who,principal}'
        and jsonb_strip_nulls(draft - '{id,author,message,who,base_revision,rules_revision,request_hash,operations}'::text[])
            in ('{"labels": {}}', '{}')
        and jsonb_strip_nulls(
            put - '{op,app_id,environment,key,value,value_digest,expected_version,type_guard,reuse_guard}'::text[]) = '{}'
$$;

create function trimtab_commit_one(draft jsonb) returns jsonb language plpgsql
set plan_cache_mode = force_generic_plan as $$
declare
    head installation;
    who jsonb := draft -> 'who';
    put jsonb := draft #> '{operations,0}';
    given jsonb := draft #> '{operations,0,value}';
    given_digest bigint := draft #>> '{operations,0,value_digest}';
    old record;
    place change_scopes;
    entry audit_logs;
begin
    head := trimtab_lock();
    select
        c.*,
        (c.app_id = '' or a.app_id is not null and a.archived_at is null)
            and (c.environment = '' or e.app_id is not null and e.archived_at is null) as is_open
    into old
    from configs as c
    left join apps as a on a.app_id = c.app_id
    left join environments as e on e.app_id = c.app_id and e.environment = c.environment
    where c.app_id = put ->> 'app_id' and c.environment = put ->> 'environment' and c.key = put ->> 'key';

    if not coalesce(
        trimtab_plain(draft, put) and old.is_open and not old.deleted and old.kind = 'value' and not old.sensitive
        and old.rollout is null
        and jsonb_typeof(old.value) = jsonb_typeof(given)
        and old.version = coalesce((put ->> 'expected_version')::bigint, old.version)
        and old.revision <= coalesce((draft ->> 'base_revision')::bigint, old.revision)
        and head.rules_revision = coalesce((draft ->> 'rules_revision')::bigint, head.rules_revision),
        false
    ) then
        return (trimtab_commit(jsonb_build_array(jsonb_build_array(draft))))[1];
    end if;

    head.revision := head.revision + 1;
    head.committed_at := greatest(clock_timestamp(), head.committed_at + interval '1 microsecond');
    update scopes set
        previous = scopes.revision, revision = head.revision,
        digest = digest # trimtab_entry_digest(old.key, 'value', old.version, old.value_digest)
            # trimtab_entry_digest(old.key, 'value', old.version + 1, given_digest)
    where app_id = old.app_id and environment = old.environment
    returning revision, app_id, environment, previous, digest into strict place;
    insert into changes (id, revision, author, message, source, committed_at, request_id, address)
    values (
        (draft ->> 'id')::uuid, head.revision, draft ->> 'author', draft ->> 'message', who ->> 'source',
        head.committed_at, who ->> 'request_id', who ->> 'address');
    update configs set
        value = given, value_digest = given_digest, version = old.version + 1, revision = head.revision,
        updated_at = head.committed_at, updated_by = draft ->> 'author'
    where id = old.id;
    insert into config_versions (config_id, version, revision, position, op, kind, value, sensitive)
    values (old.id, old.version + 1, head.revision, 0, 'put', 'value', given, false);
    insert into change_scopes values (place.*);
    insert into outbox (revision, scope, committed_at)
    values (head.revision, trimtab_scope(old.app_id, old.environment), head.committed_at);

    entry := trimtab_record(
        head, head.committed_at, who, 'change.committed', 'change:' || (draft ->> 'id'), 'done', head.revision,
        jsonb_build_object('message', draft -> 'message', 'operations', jsonb_build_array(jsonb_build_object(
            'op', 'put', 'scope', trimtab_scope(old.app_id, old.environment), 'key', old.key, 'config_id', old.id,
            'version', old.version + 1,
            'before', trimtab_audited('value', old.value, false),
            'after', trimtab_audited('value', given, false)))));
    insert into audit_logs values (entry.*);
    update installation set
        revision = head.revision, committed_at = head.committed_at, audit_seq = entry.seq, audit_hash = entry.hash;
    return jsonb_build_object(
        'id', draft ->> 'id',
        'hits', '[]'::jsonb,
        'revision', head.revision,
        'committed_at', trimtab_instant(head.committed_at),
        'applied', jsonb_build_array(jsonb_build_array(
            'put', old.id, old.app_id, old.environment, old.key, old.version + 1, false)),
        'scopes', jsonb_build_array(jsonb_build_array(place.app_id, place.environment, place.previous, place.digest))
    );
end
$$;
