-- The revision that the rules are at.
select rules_revision from installation
