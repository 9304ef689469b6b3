-- Moves the progress by compare-and-set. $1: client_id, $2: journal, $3: from, $4: to
update mqtt2pg.progress
   set position = $4::bigint, stored_at = clock_timestamp()
 where client_id = $1 and journal = $2::uuid and position = $3::bigint
