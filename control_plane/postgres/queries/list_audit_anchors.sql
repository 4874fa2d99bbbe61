-- What was archived of the audit chain before $1, newest first.
select seq, hash, count, archived_at, archived_by from audit_anchors where seq < $1 order by seq desc limit $2
