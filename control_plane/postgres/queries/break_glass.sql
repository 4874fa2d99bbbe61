-- Commit one draft past its policies, and open the review of that.
select trimtab_break_glass($1::jsonb, $2, $3::text[])
