-- Add a record to the audit chain: who, action, object, detail, outcome. Returns its number.
select trimtab_audit($1::jsonb, $2, $3, $4::jsonb, $5)
