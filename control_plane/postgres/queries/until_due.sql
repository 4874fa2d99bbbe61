-- Seconds until something is due next; null if nothing is.
select extract(epoch from least(
    (select min(scheduled_at) from changes where state = 'scheduled'),
    (select min(least(expires_at, scheduled_at)) from changes where state = 'pending')
) - clock_timestamp())::float8
