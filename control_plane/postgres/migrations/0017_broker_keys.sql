-- The credentials with which agents log in at the broker are signed with keys of their own.

alter table signing_keys drop constraint signing_keys_purpose_check;
alter table signing_keys add constraint signing_keys_purpose_check check (purpose in ('tokens', 'messages', 'broker'));
