-- Put a newly sealed candidate ($3) in the place of that of rollout $1, if it still is $2.
update rollouts set document = document || jsonb_build_object('candidate', $3::jsonb)
where id = $1 and document -> 'candidate' = $2::jsonb
returning id
