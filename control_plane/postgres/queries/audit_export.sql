-- Audit that somebody gets to see everything, or application $1. No row: there is no such application.
select trimtab_audit($2::jsonb, 'configs.exported', $3, $4::jsonb || jsonb_build_object('revision', revision))
from installation where $1::text is null or exists (select from apps where app_id = $1)
