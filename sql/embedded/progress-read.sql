-- How far this client's journal is stored; when it is not known, the newest other journal of this client. $1: client_id, $2: journal
select journal, position, (extract(epoch from stored_at) * 1000000)::bigint as stored_at_us
  from mqtt2pg.progress
 where client_id = $1
 order by journal = $2::uuid desc, stored_at desc
 limit 1
