-- Audit records that are no commits, by the application that they are about: by what they say, or by their object.
-- A commit is found by its scopes, and pays for none of this.

create index audit_logs_apps on audit_logs ((detail ->> 'app_id'), seq) where action <> 'change.committed';
drop index audit_logs_objects;
create index audit_logs_objects on audit_logs (object collate "C", seq) where action <> 'change.committed';
