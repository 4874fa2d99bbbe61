-- Policies are rules that drafts are checked against: whoever alters one moves the rules on.

-- Make (`id` null), replace or take away (`policy` null) a policy: {"id"}, or {"problem", …}.
create function trimtab_set_policy(which uuid, read_version bigint, policy jsonb, most integer, who jsonb)
returns jsonb language plpgsql as $$
declare
    before policies;
    after policies;
    what text := case when which is null then 'created' when policy is null then 'deleted' else 'updated' end;
begin
    perform trimtab_lock();
    if which is not null then
        select * into before from policies where id = which;
        if before.id is null then
            return '{"problem": "missing"}';
        elsif before.version <> read_version then
            return jsonb_build_object('problem', 'version', 'current', before.version);
        end if;
    elsif (select count(*) from policies) >= most then
        return '{"problem": "many"}';
    end if;
    if exists (select from policies where name = policy ->> 'name' and id is distinct from which) then
        return '{"problem": "name"}';
    end if;
    if which is null then
        insert into policies (name, pattern, document, created_by, updated_by)
        values (
            policy ->> 'name', policy ->> 'pattern', policy - 'name' - 'pattern',
            who ->> 'principal', who ->> 'principal'
        )
        returning * into after;
    elsif policy is null then
        delete from policies where id = which;
    else
        update policies set
            name = policy ->> 'name', pattern = policy ->> 'pattern', document = policy - 'name' - 'pattern',
            version = version + 1, updated_at = clock_timestamp(), updated_by = who ->> 'principal'
        where id = which
        returning * into after;
    end if;
    update installation set rules_revision = rules_revision + 1;
    perform trimtab_audit(
        who, 'policy.' || what, 'policy:' || coalesce(after.id, before.id), jsonb_build_object(
            'name', coalesce(after.name, before.name),
            'before', before.document || jsonb_build_object('name', before.name, 'pattern', before.pattern),
            'after', policy
        )
    );
    return jsonb_build_object('id', coalesce(after.id, before.id));
end
$$;
