-- Give the roles under which replicas run their rights, as far as they still exist.
select trimtab_grant(name) from service_roles where exists (select from pg_roles where rolname = name)
