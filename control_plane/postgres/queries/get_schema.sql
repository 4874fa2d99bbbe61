-- One schema.
select trimtab_schema(schemas) as schema from schemas where id = $1
