-- Removes dead letters. $1: their ids, as an array
delete from mqtt2pg.dead_letter where id = any($1::bigint[])
