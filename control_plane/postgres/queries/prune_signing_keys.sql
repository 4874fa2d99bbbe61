-- Forget signing keys of purpose $1 whose successors sign since before $2.
delete from signing_keys as old
where old.purpose = $1 and exists (
    select from signing_keys as next
    where next.purpose = old.purpose and next.generation > old.generation and next.signs_from < $2)
