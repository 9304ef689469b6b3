-- The next dead letters that the service stores by itself, parked ones and those that wait (retry_for), whose rule is none of these, does not
-- take their topic, or has given its mark to another one, in the order of their ids. The names of rules are found by jumps through the indexes
-- dead_letter_parked_by_client and dead_letter_waiting, so that millions of letters of other rules cost nothing.
-- $1: client_id, $2: names of the rules that there are, $3: after this id, $4: limit, $5: a regular expression for the topics of each rule, or
-- null: do not look, $6: the mark of each rule
with recursive parked_names as (
    (select rule from mqtt2pg.dead_letter where client_id = $1 and parked order by rule limit 1)
    union all
    select (select d.rule from mqtt2pg.dead_letter d where d.client_id = $1 and d.parked and d.rule > n.rule order by d.rule limit 1)
      from parked_names n
     where n.rule is not null
),
waiting_names as (
    (select rule
       from mqtt2pg.dead_letter
      where client_id = $1 and not parked and coalesce((properties ->> 'waits')::boolean, false)
      order by rule
      limit 1)
    union all
    select (select d.rule
              from mqtt2pg.dead_letter d
             where d.client_id = $1 and not d.parked and coalesce((d.properties ->> 'waits')::boolean, false) and d.rule > n.rule
             order by d.rule
             limit 1)
      from waiting_names n
     where n.rule is not null
),
names as (
    select n.rule, n.parked, k.rule is null as is_former, k.topics, k.mark
      from (select rule, true as parked from parked_names union all select rule, false from waiting_names) as n
      left join unnest($2::text[], $5::text[], $6::text[]) as k (rule, topics, mark) on k.rule = n.rule
     where n.rule is not null and (k.rule is null or k.topics is not null)
)
select d.id,
       d.rule,
       coalesce(decode(d.properties ->> 'topic_bytes', 'base64'), convert_to(d.topic, 'UTF8')) as topic,
       d.properties ->> 'mark' as mark,
       (select string_agg(name, chr(31) order by place)
          from jsonb_array_elements_text(d.properties -> 'rules') with ordinality as r (name, place)) as rules,
       (select string_agg(mark, chr(31) order by place)
          from jsonb_array_elements_text(d.properties -> 'marks') with ordinality as m (mark, place)) as marks,
       d.journal::text || ' ' || d.sequence as message
  from names n
 cross join lateral ((select *
                        from mqtt2pg.dead_letter
                       where n.parked and client_id = $1 and rule = n.rule and parked and id > $3::bigint
                         and (n.is_former or topic !~ n.topics
                              or (properties ->> 'mark' <> n.mark and properties ->> 'mark' = any($6::text[])))
                       order by id
                       limit $4::bigint)
                     union all
                     (select *
                        from mqtt2pg.dead_letter
                       where not n.parked and client_id = $1 and rule = n.rule
                         and not parked and coalesce((properties ->> 'waits')::boolean, false) and id > $3::bigint
                         and (n.is_former or topic !~ n.topics
                              or (properties ->> 'mark' <> n.mark and properties ->> 'mark' = any($6::text[])))
                       order by id
                       limit $4::bigint)) as d
 order by d.id
 limit $4::bigint
