-- Let an export stand for the audit records up to $2, whose hash is $3.
select trimtab_audit_archive($1::jsonb, $2, $3)
