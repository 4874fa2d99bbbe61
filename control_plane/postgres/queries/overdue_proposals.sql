-- The changes that waited too long for their approvals.
select * from trimtab_proposals(array(
    select id from changes where state = 'pending' and least(expires_at, scheduled_at) <= clock_timestamp()
    order by least(expires_at, scheduled_at), id limit $1
), false, false)
