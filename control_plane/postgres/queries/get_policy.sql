-- One policy.
select * from policies where id = $1
