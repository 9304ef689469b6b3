-- The ids of the newest parked dead letters of some rules. $1: names of the rules, $2: client_id, $3: how many of each rule
select array_agg(d.id order by d.id) as ids
  from unnest($1::text[]) as r (name)
 cross join lateral (select id
                       from mqtt2pg.dead_letter
                      where client_id = $2 and rule = r.name and parked
                      order by id desc
                      limit $3::int) as d
