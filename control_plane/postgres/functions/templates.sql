-- Templates: plans of rollouts with a name.

-- Keep a plan under a name, if what is there is of version `expected` (0: nothing is there; null: whatever it is).
-- The same plan again changes nothing. Answers {"version"}, or why not: {"current"}, {"many"}.
create function trimtab_put_template(
    template text, words text, plan jsonb, expected bigint, most integer, who jsonb
) returns jsonb language plpgsql as $$
declare
    before rollout_templates;
    moment timestamptz := clock_timestamp();
    kept bigint;
begin
    perform trimtab_lock();
    select * into before from rollout_templates where name = template;
    if expected is distinct from coalesce(before.version, 0) and expected is not null then
        return jsonb_build_object('current', coalesce(before.version, 0));
    elsif before.name is not null and before.description = words and before.document = plan then
        return jsonb_build_object('version', before.version);
    elsif before.name is null and (select count(*) from rollout_templates) >= most then
        return '{"many": true}';
    end if;
    insert into rollout_templates as known (
        name, description, document, version, created_at, created_by, updated_at, updated_by
    )
    values (template, words, plan, 1, moment, who ->> 'principal', moment, who ->> 'principal')
    on conflict (name) do update set
        description = excluded.description, document = excluded.document, version = known.version + 1,
        updated_at = excluded.updated_at, updated_by = excluded.updated_by
    returning version into kept;
    perform trimtab_audit(
        who, case when before.name is null then 'rollout-template.created' else 'rollout-template.updated' end,
        'rollout-template:' || template, jsonb_strip_nulls(jsonb_build_object(
            'name', template, 'version', kept, 'before', before.document, 'after', plan)));
    return jsonb_build_object('version', kept);
end
$$;

-- Forget a plan, if it is of version `expected` (null: whatever it is). Answers {}, or the version that it is of: {"current"}.
create function trimtab_forget_template(template text, expected bigint, who jsonb) returns jsonb language plpgsql as $$
declare
    before rollout_templates;
begin
    perform trimtab_lock();
    select * into before from rollout_templates where name = template;
    if before.name is null or (expected is not null and expected <> before.version) then
        return jsonb_build_object('current', coalesce(before.version, 0));
    end if;
    delete from rollout_templates where name = template;
    perform trimtab_audit(
        who, 'rollout-template.deleted', 'rollout-template:' || template,
        jsonb_build_object('name', template, 'before', before.document));
    return '{}';
end
$$;
