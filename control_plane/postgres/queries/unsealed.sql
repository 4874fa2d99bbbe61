-- The positions of those of operations $1 whose values have to be sealed.
select trimtab_unsealed($1::jsonb)
