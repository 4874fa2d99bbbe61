-- Plans of rollouts after name $1 (or, with $3, the one of that name).
select * from rollout_templates where name > $1 and ($3::text is null or name = $3) order by name limit $2
