-- A dead letter failed again. $1: id, $2: reason, $3: sqlstate, $4: parked
update mqtt2pg.dead_letter
   set reason = $2, sqlstate = $3, parked = $4::boolean, failed_at = clock_timestamp()
 where id = $1::bigint
