-- All sessions of an account so far are over.
with ended as (
    update users set generation = generation + 1 where id = $1 returning id, name
)
select trimtab_audit($2::jsonb, 'user.logged-out-everywhere', 'user:' || name, jsonb_build_object('id', id)) from ended
