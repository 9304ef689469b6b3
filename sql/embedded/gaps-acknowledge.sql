-- Somebody took note of gaps. $1: client_id, $2: id; null = any
update mqtt2pg.gap
   set acknowledged_at = clock_timestamp()
 where acknowledged_at is null
   and ($1::text is null or client_id = $1)
   and ($2::bigint is null or id = $2)
