-- Schemas after a position in the order of application and pattern; of application $3 if it is given ('': of all).
select trimtab_schema(schemas) as schema, app_id, pattern from schemas
where (app_id, pattern) > ($1, $2) and ($3::text is null or app_id = $3)
order by app_id, pattern
limit $4
