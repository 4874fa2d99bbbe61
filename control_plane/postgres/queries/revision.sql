-- The installation's committed revision.
select revision from installation
