-- What stood in the scopes of $1 and $2 under the keys $3 at revision $4.
select entry.* from trimtab_entries_at(array(
    select configs.id
    from unnest($1::text[], $2::text[]) as place(app_id, environment)
    join configs on configs.app_id = place.app_id and configs.environment = place.environment
        and configs.key = any($3::text[])
), $4) as entry
