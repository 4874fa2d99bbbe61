-- One review.
select r.*, c.revision from reviews as r join changes as c on c.id = r.change_id where r.id = $1
