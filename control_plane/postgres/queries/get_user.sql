-- The account of a name.
select id, name, display_name, issuer is not null as external, generation, created_at, created_by, disabled_at, password_changed_at, last_login_at from users where name = $1
