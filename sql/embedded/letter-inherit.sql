-- Gives dead letters that the service stores by itself to other rules. A letter goes to each of its heirs; if some of them write to the table
-- of the letter's former rule (properties.table), to these only. The letters of one message stand next to each other. Together they leave one
-- letter to each heir, each heir another one where there are enough. `dead-letters retry` may store some of them meanwhile: the letters are
-- locked first, so that a letter which it deletes leaves no copy to an heir. $1: ids, $2: names of heirs, $3: their tables, or null
with heir as (
    select d.id, d.journal, d.sequence, d.rule as former, p.rule,
           coalesce(p.target = d.properties ->> 'table', false) as same_table
      from unnest($1::bigint[], $2::text[], $3::text[]) as p (id, rule, target)
      join mqtt2pg.dead_letter d on d.id = p.id
     where (d.parked or coalesce((d.properties ->> 'waits')::boolean, false))
     order by d.id
       for update of d
), placed as (
    select h.*,
           dense_rank() over (partition by coalesce(h.sequence, -h.id), h.journal order by h.id) - 1 as letter_place,
           dense_rank() over (partition by coalesce(h.sequence, -h.id), h.journal order by h.rule) - 1 as heir_place
      from heir h
     where h.same_table or not exists (select from heir o where o.id = h.id and o.same_table)
), counted as (
    select *, max(letter_place) over (partition by coalesce(sequence, -id), journal) + 1 as letters from placed
), chosen as (
    select h.*,
           row_number() over (partition by coalesce(h.sequence, -h.id), h.journal, h.rule
                              order by h.heir_place % h.letters <> h.letter_place, h.id) > 1
           or exists (select from mqtt2pg.dead_letter o
                       where o.client_id = (select client_id from mqtt2pg.dead_letter where id = h.id) and o.rule = h.rule
                         and (o.parked or coalesce((o.properties ->> 'waits')::boolean, false))
                         and o.id between h.id - 64 and h.id - 1 and o.id <> all($1::bigint[]) and o.journal = h.journal and o.sequence = h.sequence) as has_one
      from counted h
), given as (
    select *, row_number() over (partition by id order by rule) as place from chosen where not has_one
), moved as (
    update mqtt2pg.dead_letter d
       set rule = g.rule
      from given g
     where g.id = d.id and g.place = 1
), copied as (
    insert into mqtt2pg.dead_letter (received_at, failed_at, rule, topic, payload, qos, retained, properties, reason, sqlstate, parked,
                                     client_id, journal, sequence)
    select d.received_at, d.failed_at, g.rule, d.topic, d.payload, d.qos, d.retained, d.properties, d.reason, d.sqlstate, d.parked,
           d.client_id, d.journal, d.sequence
      from given g
      join mqtt2pg.dead_letter d on d.id = g.id
     where g.place > 1
     order by d.id
), doubled as (
    delete from mqtt2pg.dead_letter d
     where d.id in (select c.id from chosen c where c.has_one) and d.id not in (select g.id from given g)
)
select former, rule, count(*) as letters from given group by former, rule order by former, rule
