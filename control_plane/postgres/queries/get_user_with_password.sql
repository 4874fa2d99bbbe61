-- The account of a name with the hash of its password.
select id, name, display_name, issuer is not null as external, generation, created_at, created_by, disabled_at, password_changed_at, last_login_at, password_hash from users where name = $1 and password_hash is not null
