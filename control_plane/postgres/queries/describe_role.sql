-- The role of this name, and whether it has, or can take, the rights of the tables' owner.
select rolname, rolsuper or pg_has_role(pg_roles.oid, relowner, 'member') as unbound
from pg_roles, pg_class where rolname = $1 and pg_class.oid = 'installation'::regclass
