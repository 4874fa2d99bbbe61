-- What refers to what around keys $1 and $2, in the global scope and applications $3 (null: all), and the revision of that.
select installation.revision as head, c.app_id, c.environment, c.key, c.kind, c.refs
from installation left join trimtab_links($1, $2, $3) as c on true
