-- Replays of some rules that did not end. $1: client_id, $2: journal; null: the one that the client stored last, for no replay of another one
-- can go on, $3: the rules' names, as an array
select rule,
       journal,
       position,
       (extract(epoch from from_time) * 1000000)::bigint as from_us,
       (extract(epoch from to_time) * 1000000)::bigint as to_us,
       last,
       array_to_string(left_out, ' ') as left_out
  from mqtt2pg.replay
 where client_id = $1
   and journal = coalesce($2::uuid, (select journal from mqtt2pg.progress where client_id = $1 order by stored_at desc limit 1))
   and rule = any($3::text[])
   and finished_at is null
