-- How far this journal is stored. When this client has no row for it: the row of another client (a renamed client_id), else the newest
-- row of this client's other journals. $1: client_id, $2: journal
select client_id, journal, position, (extract(epoch from stored_at) * 1000000)::bigint as stored_at_us
  from mqtt2pg.progress
 where client_id = $1 or journal = $2::uuid
 order by journal = $2::uuid and client_id = $1 desc, journal = $2::uuid desc, stored_at desc
 limit 1
