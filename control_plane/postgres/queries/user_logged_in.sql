-- Keep that somebody has logged in.
with seen as (
    update users set last_login_at = clock_timestamp() where id = $1 returning id, name
)
select trimtab_audit($2::jsonb, 'user.logged-in', 'user:' || name, jsonb_build_object('id', id) || $3::jsonb) from seen
