-- From where to where the audit chain reaches, in one instant: its anchor, its head, and the newest record that is there.
select
    installation.id::text as installation, anchor.seq as anchor_seq, anchor.hash as anchor_hash,
    installation.audit_seq as head_seq, installation.audit_hash as head_hash,
    (select coalesce(max(seq), 0) from audit_logs) as newest
from installation, trimtab_audit_anchor() as anchor
