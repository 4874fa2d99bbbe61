-- One audit record that is not archived.
select record.* from audit_logs as record where seq = $1 and seq > (select seq from trimtab_audit_anchor())
