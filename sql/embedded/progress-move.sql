-- Moves the progress by compare-and-set; $3 = $4 only marks that something else was stored. stored_at always grows, also when the clock does not,
-- and by more than PostgreSQL before version 14 loses below. $1: client_id, $2: journal, $3: from, $4: to
update mqtt2pg.progress
   set position = $4::bigint, stored_at = greatest(clock_timestamp(), stored_at + interval '1 millisecond')
 where client_id = $1 and journal = $2::uuid and position = $3::bigint
returning (extract(epoch from stored_at) * 1000000)::bigint as stored_at_us
