-- Named snapshots after name $1 (or, with $3, the one of that name), each with the time of its revision.
select s.name, s.revision, c.committed_at, s.description, s.created_at, s.created_by
from named_snapshots as s left join changes as c on c.revision = s.revision
where s.name > $1 and ($3::text is null or s.name = $3)
order by s.name
limit $2
