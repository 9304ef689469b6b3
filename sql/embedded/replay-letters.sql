-- Numbers of a rule's messages that have dead letters, in order, with spaces between; `waiting`: those that the service stores by itself.
-- $1: client_id, $2: journal, $3: rule
select string_agg(sequence::text, ' ' order by sequence) filter (where not waits) as settled,
       string_agg(sequence::text, ' ' order by sequence) filter (where waits) as waiting
  from (select sequence, bool_or(parked or coalesce((properties ->> 'waits')::boolean, false)) as waits
          from mqtt2pg.dead_letter
         where client_id = $1 and journal = $2::uuid and rule = $3 and sequence is not null
         group by sequence) as letters
