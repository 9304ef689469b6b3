-- How far an unfinished replay of this rule came. $1: client_id, $2: journal, $3: rule
select position, (extract(epoch from from_time) * 1000000)::bigint as from_us, (extract(epoch from to_time) * 1000000)::bigint as to_us
  from mqtt2pg.replay
 where client_id = $1 and journal = $2::uuid and rule = $3 and finished_at is null
