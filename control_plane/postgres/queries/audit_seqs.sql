-- The numbers of the audit records next to two moments: the last one before $1, and the first one from $2 on.
select
    (select seq from audit_logs where at < $1 order by at desc limit 1) as until,
    (select seq from audit_logs where at >= $2 order by at limit 1) as since
