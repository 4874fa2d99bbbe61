-- Put operations with newly sealed values ($3) in the place of those of stored change $1, if they still are $2.
update changes set operations = $3::jsonb where id = $1 and operations = $2::jsonb
returning id
