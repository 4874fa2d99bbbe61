-- The changes whose time has come, in the order of their times, with all that they hold.
select * from trimtab_proposals(array(
    select id from changes where state = 'scheduled' and scheduled_at <= clock_timestamp()
    order by scheduled_at, created_at, id limit $1
), true, true)
