-- Policies by name.
select * from policies where name > $1 order by name limit $2
