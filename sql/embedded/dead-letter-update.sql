-- A dead letter failed again, and is not parked any more. $1: id, $2: reason, $3: sqlstate, $4: does the service try it again by itself?
update mqtt2pg.dead_letter
   set reason = $2,
       sqlstate = $3,
       parked = false,
       failed_at = clock_timestamp(),
       properties = case when $4::boolean then coalesce(properties, '{}') || '{"waits":true}' else properties - 'waits' end
 where id = $1::bigint
