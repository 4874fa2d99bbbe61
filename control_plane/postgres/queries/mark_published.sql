-- Remember which messages (revisions $1, scopes $2) the broker has confirmed.
update outbox set published_at = clock_timestamp()
from unnest($1::bigint[], $2::text[]) as confirmed(revision, scope)
where outbox.revision = confirmed.revision and outbox.scope = confirmed.scope and outbox.published_at is null
