-- The data keys by the key-encryption keys that encrypt them, and how many versions still should be sealed otherwise.
select
    coalesce((
        select jsonb_agg(jsonb_build_array(encrypted_by, present, retired) order by encrypted_by)
        from (
            select encrypted_by, count(*) filter (where retired_at is null) as present, count(retired_at) as retired
            from (
                select encrypted_by, retired_at from data_keys
                union all select encrypted_by, null from signing_keys
            ) as each group by encrypted_by
        ) as counted
    ), '[]') as keys,
    (select count(*) from config_versions as v
     where v.sensitive and (trimtab_outdated(v.value) or trimtab_outdated(v.rollout -> 'candidate'))) as outdated,
    (select count(*) from config_versions as v where v.sensitive) as sensitive
