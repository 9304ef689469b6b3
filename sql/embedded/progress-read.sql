-- How far this client's journal is stored. $1: client_id
select journal, position, (extract(epoch from stored_at) * 1000000)::bigint as stored_at_us
  from mqtt2pg.progress
 where client_id = $1
