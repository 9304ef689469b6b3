-- Gaps in the order of their ids. $1: client_id, $2: only those that nobody has acknowledged, $3: id; null = any
select id,
       (extract(epoch from noticed_at) * 1000000)::bigint as noticed_at_us,
       client_id,
       cause,
       (extract(epoch from from_time) * 1000000)::bigint as from_us,
       (extract(epoch from to_time) * 1000000)::bigint as to_us,
       messages,
       (extract(epoch from acknowledged_at) * 1000000)::bigint as acknowledged_at_us
  from mqtt2pg.gap
 where ($1::text is null or client_id = $1)
   and (not $2::boolean or acknowledged_at is null)
   and ($3::bigint is null or id = $3)
 order by id
 limit 1000
