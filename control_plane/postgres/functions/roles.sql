-- The rights of the role under which replicas run: what they need, and nothing that could undo the record.

-- Let functions that run with the rights of their owner find our tables and nobody else's: whoever calls them could
-- otherwise put his own before them.
create function trimtab_bind_definers() returns void language plpgsql as $$
declare
    bound text;
begin
    for bound in
        select oid::regprocedure from pg_proc
        where pronamespace = current_schema::regnamespace and proname like 'trimtab\_%' and prosecdef
    loop
        execute format('alter function %s set search_path = %I, pg_temp', bound, current_schema);
    end loop;
end
$$;

-- What a replica may do with a table: add to those that only grow, read those that others fill, and not even look at
-- the key of the digests.
create function trimtab_rights(relation pg_class) returns text language sql stable as $$
    select case
        when relation.relkind = 'S' then 'usage'
        when relation.relname in ('schema_migrations', 'schema_functions', 'service_roles', 'audit_anchors') then 'select'
        when relation.relname = 'installation' then 'select, update (' || (
            select string_agg(quote_ident(attname), ', ') from pg_attribute
            where attrelid = relation.oid and attnum > 0 and not attisdropped and attname not in ('singleton', 'id')
        ) || ')'
        when exists (
            select from pg_trigger as t join pg_proc as p on p.oid = t.tgfoid
            where t.tgrelid = relation.oid and p.proname in ('trimtab_refuse', 'trimtab_refuse_unanchored')
        ) then 'select, insert'
        else 'select, insert, update, delete'
    end
    where relation.relname <> 'audit_key'
$$;

-- Give a role these rights and take all others from it, and the functions from everybody else.
create function trimtab_grant(service text) returns void language plpgsql as $$
declare
    relation pg_class;
    called text;
begin
    execute format('grant usage on schema %I to %I', current_schema, service);
    for relation in
        select * from pg_class as c
        where c.relnamespace = current_schema::regnamespace and c.relkind in ('r', 'p', 'S')
            and c.relowner = (select relowner from pg_class where oid = 'installation'::regclass)
            and not exists (
                select from pg_depend as d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    loop
        execute format('revoke all on %s from %I', relation.oid::regclass, service);
        if trimtab_rights(relation) is not null then
            execute format('grant %s on %s to %I', trimtab_rights(relation), relation.oid::regclass, service);
        end if;
    end loop;
    for called in
        select oid::regprocedure from pg_proc
        where pronamespace = current_schema::regnamespace and proname like 'trimtab\_%'
    loop
        execute format('revoke execute on function %s from public', called);
        execute format('grant execute on function %s to %I', called, service);
    end loop;
end
$$;
