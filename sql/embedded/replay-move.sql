-- Moves a replay by compare-and-set. $1: client_id, $2: journal, $3: rule, $4: from, $5: to, $6: is that its end?
update mqtt2pg.replay
   set position = $5::bigint, moved_at = clock_timestamp(), finished_at = case when $6::boolean then clock_timestamp() end
 where client_id = $1 and journal = $2::uuid and rule = $3 and position = $4::bigint and finished_at is null
returning 1
