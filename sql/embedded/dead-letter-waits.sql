-- Which of these rules have dead letters that the service tries again by itself; looks at one letter of each. $1: names of rules, $2: client_id
select r.place
  from unnest($1::text[]) with ordinality as r (name, place)
 cross join lateral (select id
                       from mqtt2pg.dead_letter
                      where client_id = $2 and rule = r.name
                        and not parked and coalesce((properties ->> 'waits')::boolean, false)
                      order by id
                      limit 1) as first
