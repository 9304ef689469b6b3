-- The ids of the next dead letters of some rules, whatever rule each is of, as many as are together no larger than some bytes; at least one.
-- Each rule's letters are found by an index: parked ones by dead_letter_parked_by_client, those that the service tries again by itself by
-- dead_letter_waiting. $1: names of the rules, $2: id, $3: after this id, $4: parked, $5: client_id, '' for letters that name none; null = any;
-- $6: limit, $7: bytes, $8: true = only those that the service tries again by itself, false = only the others
select array_agg(s.id order by s.id) as ids
  from (select c.id, sum(c.bytes) over (order by c.id) as total, row_number() over (order by c.id) as place
          from (select d.id, octet_length(d.payload) as bytes
                  from unnest($1::text[]) as r (name)
                 cross join lateral (select id, payload
                                       from mqtt2pg.dead_letter
                                      where rule = r.name
                                        and ($2::bigint is null or id = $2)
                                        and ($3::bigint is null or id > $3)
                                        and ($4::boolean is null or parked = $4)
                                        and ($5::text is null or client_id = $5 or ($5 = '' and client_id is null))
                                        and ($8::boolean is null or coalesce((properties ->> 'waits')::boolean, false) = $8)
                                      order by id
                                      limit $6::bigint) as d
                 order by d.id
                 limit $6::bigint) as c) as s
 where s.total <= $7::bigint or s.place = 1
