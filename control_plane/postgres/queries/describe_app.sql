-- Give an application another description, if it is registered; nothing is written if it has this one already.
with before as (
    select app_id, description from apps where app_id = $1 and description <> $2
),
audited as (
    select trimtab_audit(
        $3::jsonb, 'app.described', trimtab_scope($1, ''),
        jsonb_build_object('app_id', $1::text, 'before', before.description, 'after', $2::text)
    ) from before
)
update apps set description = $2 from before, audited where apps.app_id = before.app_id
