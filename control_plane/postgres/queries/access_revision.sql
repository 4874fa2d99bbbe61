-- The revision that roles and bindings are at.
select access_revision from installation
