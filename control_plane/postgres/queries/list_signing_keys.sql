-- The signing keys of purpose $1, the oldest first.
select purpose, generation, kid, public, private, encrypted_by, created_at, signs_from, abrupt
from signing_keys
where purpose = $1
order by generation
