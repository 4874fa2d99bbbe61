-- Remember a role under which replicas run.
insert into service_roles (name) values ($1) on conflict do nothing
