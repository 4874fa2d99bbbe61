-- When credentials were last used, and from where; an older use that comes late changes nothing.
update credentials set last_used_at = used.at, last_used_from = used.address
from unnest($1::uuid[], $2::timestamptz[], $3::text[]) as used (id, at, address)
where credentials.id = used.id and (credentials.last_used_at is null or credentials.last_used_at < used.at)
