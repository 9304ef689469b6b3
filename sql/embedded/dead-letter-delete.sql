-- Removes one dead letter. $1: id
delete from mqtt2pg.dead_letter where id = $1::bigint
