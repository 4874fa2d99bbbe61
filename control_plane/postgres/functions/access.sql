-- Roles and bindings: who alters one moves `access_revision` on.

-- Keep a role, if what is there is of version `expected` (0: nothing is there; null: whatever it is). The same one again
-- changes nothing. Answers {"version"}, or why not: {"current"}, {"many"}.
create function trimtab_put_role(
    role_name text, may text[], words text, expected bigint, most integer, who jsonb
) returns jsonb language plpgsql as $$
declare
    before roles;
    moment timestamptz := clock_timestamp();
    kept bigint;
begin
    perform trimtab_lock();
    select * into before from roles where name = role_name;
    if expected is not null and expected <> coalesce(before.version, 0) then
        return jsonb_build_object('current', coalesce(before.version, 0));
    elsif before.name is not null and before.permissions = may and before.description = words then
        return jsonb_build_object('version', before.version);
    elsif before.name is null and (select count(*) from roles) >= most then
        return '{"many": true}';
    end if;
    insert into roles as known (name, permissions, description, version, created_at, created_by, updated_at, updated_by)
    values (role_name, may, words, 1, moment, who ->> 'principal', moment, who ->> 'principal')
    on conflict (name) do update set
        permissions = excluded.permissions, description = excluded.description, version = known.version + 1,
        updated_at = excluded.updated_at, updated_by = excluded.updated_by
    returning version into kept;
    update installation set access_revision = access_revision + 1;
    perform trimtab_audit(
        who, case when before.name is null then 'role.created' else 'role.updated' end, 'role:' || role_name,
        jsonb_strip_nulls(jsonb_build_object(
            'name', role_name, 'version', kept, 'before', to_jsonb(before.permissions), 'after', to_jsonb(may))));
    return jsonb_build_object('version', kept);
end
$$;

-- Forget a role that nobody has. Answers {}, or why not: {"missing"}, {"bound": how many}.
create function trimtab_drop_role(role_name text, who jsonb) returns jsonb language plpgsql as $$
declare
    before roles;
    bound bigint;
begin
    perform trimtab_lock();
    select * into before from roles where name = role_name;
    if before.name is null then
        return '{"missing": true}';
    end if;
    select count(*) into bound from role_bindings where role = role_name;
    if bound > 0 then
        return jsonb_build_object('bound', bound);
    end if;
    delete from roles where name = role_name;
    update installation set access_revision = access_revision + 1;
    perform trimtab_audit(who, 'role.deleted', 'role:' || role_name,
        jsonb_build_object('name', role_name, 'before', to_jsonb(before.permissions)));
    return '{}';
end
$$;

-- Grant a role. Answers {"id"}, or why not: {"missing"} (no such role), {"bound": the id of the one that is there}, {"many"}.
create function trimtab_bind(
    subject_ text, role_ text, reach_ text, built_in boolean, most integer, who jsonb
) returns jsonb language plpgsql as $$
declare
    made role_bindings;
begin
    perform trimtab_lock();
    if not built_in and not exists (select from roles where name = role_) then
        return '{"missing": true}';
    end if;
    select * into made from role_bindings where subject = subject_ and role = role_ and reach = reach_;
    if made.id is not null then
        return jsonb_build_object('bound', made.id);
    elsif (select count(*) from role_bindings) >= most then
        return '{"many": true}';
    end if;
    insert into role_bindings (subject, role, reach, created_by) values (subject_, role_, reach_, who ->> 'principal')
    returning * into made;
    update installation set access_revision = access_revision + 1;
    perform trimtab_audit(who, 'role-binding.created', 'role-binding:' || made.id,
        jsonb_build_object('subject', subject_, 'role', role_, 'reach', reach_));
    return jsonb_build_object('id', made.id);
end
$$;

-- Whether somebody is left who may do everything, everywhere: the bootstrap operator, a key without an end, a binding.
create function trimtab_is_governed() returns boolean language sql stable as $$
    select exists (
        select from credentials
        where revoked_at is null and expires_at is null and role in ('operator', 'admin')
    ) or exists (select from role_bindings where role = 'admin' and reach = 'global')
$$;

-- Take a grant away. Answers {}, or why not: {"missing"}, {"last"} (nobody would be left who may grant anything).
create function trimtab_unbind(which uuid, who jsonb) returns jsonb language plpgsql as $$
declare
    before role_bindings;
begin
    perform trimtab_lock();
    delete from role_bindings where id = which returning * into before;
    if before.id is null then
        return '{"missing": true}';
    elsif before.role = 'admin' and before.reach = 'global' and not trimtab_is_governed() then
        insert into role_bindings select before.*;
        return '{"last": true}';
    end if;
    update installation set access_revision = access_revision + 1;
    perform trimtab_audit(who, 'role-binding.deleted', 'role-binding:' || which,
        jsonb_build_object('subject', before.subject, 'role', before.role, 'reach', before.reach));
    return '{}';
end
$$;
