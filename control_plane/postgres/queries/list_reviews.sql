-- Reviews of commits past their policies, newest first, before ($1, $2); open ones ($4 true), closed ones, or all.
select r.*, c.revision
from reviews as r join changes as c on c.id = r.change_id
where (r.opened_at, r.id) < ($1::timestamptz, $2::uuid) and ($4::boolean is null or (r.closed_at is null) = $4)
order by r.opened_at desc, r.id desc
limit $3
