-- The next parked dead letters whose rule is none of these, in the order of their ids. The names of rules are found by jumps through the index
-- dead_letter_parked_by_client, so that millions of letters of other rules cost nothing.
-- $1: client_id, $2: names of the rules that there are, $3: after this id, $4: limit
with recursive names as (
    (select rule from mqtt2pg.dead_letter where client_id = $1 and parked order by rule limit 1)
    union all
    select (select d.rule from mqtt2pg.dead_letter d where d.client_id = $1 and d.parked and d.rule > n.rule order by d.rule limit 1)
      from names n
     where n.rule is not null
)
select d.id,
       d.rule,
       coalesce(decode(d.properties ->> 'topic_bytes', 'base64'), convert_to(d.topic, 'UTF8')) as topic
  from names n
 cross join lateral (select *
                       from mqtt2pg.dead_letter
                      where client_id = $1 and rule = n.rule and parked and id > $3::bigint
                      order by id
                      limit $4::bigint) as d
 where n.rule <> all($2::text[])
 order by d.id
 limit $4::bigint
