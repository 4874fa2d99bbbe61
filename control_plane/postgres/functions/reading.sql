-- How committed changes are read back, for messages and for the record.

-- The messages of some changes, one for each scope, in the order in which they are sent. Sensitive values are left out.
-- An operation is [op, key, version, kind, sensitive, value, rollout].
create function trimtab_messages(revisions bigint[]) returns table (
    revision bigint, app_id text, environment text, previous bigint, digest bigint,
    committed_at timestamptz, scopes text[], operations jsonb
) language sql stable as $$
    select
        changes.revision, scope.app_id, scope.environment, scope.previous, scope.digest,
        changes.committed_at, everywhere.scopes, done.operations
    from unnest(revisions) as wanted(revision)
    join changes on changes.revision = wanted.revision
    cross join lateral (
        select array_agg(trimtab_scope(s.app_id, s.environment) order by s.app_id, s.environment) as scopes
        from change_scopes as s where s.revision = changes.revision
    ) as everywhere
    cross join lateral (
        select
            c.app_id, c.environment,
            jsonb_agg(jsonb_build_array(
                v.op, c.key, v.version, v.kind, v.sensitive, case when not v.sensitive then v.value end,
                case when not v.sensitive then v.rollout end
            ) order by v.position) as operations
        from config_versions as v join configs as c on c.id = v.config_id
        where v.revision = changes.revision
        group by c.app_id, c.environment
    ) as done
    join change_scopes as scope on scope.revision = changes.revision
        and scope.app_id = done.app_id and scope.environment = done.environment
    order by changes.revision, scope.app_id, scope.environment
$$;

-- The record of some changes, newest first. `applied` holds [op, config id, app, environment, key, version].
create function trimtab_change_records(revisions bigint[]) returns table (
    id uuid, revision bigint, author text, committed_by text, message text, source text, committed_at timestamptz,
    labels jsonb, reverts bigint, forced jsonb, scopes text[], applied jsonb
) language sql stable as $$
    select
        changes.id, changes.revision, changes.author, changes.committed_by, changes.message, changes.source,
        changes.committed_at, changes.labels, changes.reverts, changes.forced,
        everywhere.scopes, done.applied
    from unnest(revisions) as wanted(revision)
    join changes on changes.revision = wanted.revision
    cross join lateral (
        select array_agg(trimtab_scope(s.app_id, s.environment) order by s.app_id, s.environment) as scopes
        from change_scopes as s where s.revision = changes.revision
    ) as everywhere
    cross join lateral (
        select jsonb_agg(
            jsonb_build_array(v.op, c.id, c.app_id, c.environment, c.key, v.version) order by v.position
        ) as applied
        from config_versions as v join configs as c on c.id = v.config_id
        where v.revision = changes.revision
    ) as done
    order by changes.revision desc
$$;
