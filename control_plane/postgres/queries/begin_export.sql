-- What an export is taken at.
select id, revision from installation
