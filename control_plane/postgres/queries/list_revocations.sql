-- Revocations of which a token could still be shown, that lives for $1 at most.
select subject, before, reason, revoked_by from revocations where before > clock_timestamp() - $1::interval
order by before desc
