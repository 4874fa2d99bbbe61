-- Name revision $2 (or the last one at $3, or the latest) $1.
select known, taken, pinned from trimtab_name_snapshot($1, $2, $3, $4, $5::jsonb)
