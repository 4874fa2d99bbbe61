-- All roles and bindings, at one instant.
select
    access_revision as revision,
    coalesce((select jsonb_agg(to_jsonb(roles) order by name) from roles), '[]') as roles,
    coalesce((select jsonb_agg(to_jsonb(role_bindings) order by subject, role, reach) from role_bindings), '[]') as bindings
from installation
