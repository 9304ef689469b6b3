-- How many of the next dead letters are together no larger than some bytes; at least one. $1: rule, $2: id, $3: after this id, $4: parked,
-- $5: client_id, '' for letters that name none; null = any; $6: limit, $7: bytes, $8: true = only those that the service
-- tries again by itself, false = only the others
select greatest(count(*) filter (where s.total <= $7::bigint), 1)
  from (select sum(octet_length(d.payload)) over (order by d.id) as total
          from (select id, payload
                  from mqtt2pg.dead_letter
                 where ($1::text is null or rule = $1)
                   and ($2::bigint is null or id = $2)
                   and ($3::bigint is null or id > $3)
                   and ($4::boolean is null or parked = $4)
                   and ($5::text is null or client_id = $5 or ($5 = '' and client_id is null))
                   and ($8::boolean is null or coalesce((properties ->> 'waits')::boolean, false) = $8)
                 order by id
                 limit $6::bigint) as d) as s
