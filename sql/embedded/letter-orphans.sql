-- The next parked dead letters whose rule is none of these, or does not take their topic, in the order of their ids. The names of rules are
-- found by jumps through the index dead_letter_parked_by_client, so that millions of letters of other rules cost nothing.
-- $1: client_id, $2: names of the rules that there are, $3: after this id, $4: limit, $5: a regular expression for the topics of each rule, or
-- null: do not look
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
  left join unnest($2::text[], $5::text[]) as known (rule, topics) on known.rule = n.rule
 cross join lateral (select *
                       from mqtt2pg.dead_letter
                      where client_id = $1 and rule = n.rule and parked and id > $3::bigint
                        and (known.rule is null or topic !~ known.topics)
                      order by id
                      limit $4::bigint) as d
 where known.rule is null or known.topics is not null
 order by d.id
 limit $4::bigint
