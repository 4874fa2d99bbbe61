-- Unpublished messages of at most $1 changes.
select message.* from trimtab_messages(array(
    select distinct revision from outbox where published_at is null order by revision limit $1
)) as message
join outbox on outbox.revision = message.revision
    and outbox.scope = trimtab_scope(message.app_id, message.environment)
where outbox.published_at is null
order by message.revision, message.app_id, message.environment
