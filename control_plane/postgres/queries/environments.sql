-- App/environment pairs; those that changed last come first.
select e.app_id, e.environment
from environments as e left join scopes as s on s.app_id = e.app_id and s.environment = e.environment
order by s.revision desc nulls last, e.app_id, e.environment
limit $1
