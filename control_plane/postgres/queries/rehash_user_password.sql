-- Keep the same password's hash, made anew by other parameters; unless the password changed meanwhile.
update users set password_hash = $3 where id = $1 and password_hash = $2
