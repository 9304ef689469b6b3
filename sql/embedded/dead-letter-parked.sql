-- Which of these rules have parked letters; looks at one letter of each, however many there are. $1: names of rules, $2: client_id
select r.place
  from unnest($1::text[]) with ordinality as r (name, place)
 cross join lateral (select d.id
                       from mqtt2pg.dead_letter d
                      where d.client_id = $2 and d.rule = r.name and d.parked
                      order by d.id
                      limit 1) as first
