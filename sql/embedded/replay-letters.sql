-- Numbers of a rule's messages that have dead letters, in order, with spaces between; `waiting`: those that the service stores by itself. Such a
-- letter of a rule that is not there any more may be given to this one (letter-inherit.sql), unless this one has taken the message itself.
-- $1: client_id, $2: journal, $3: rule, $4: names of the rules that there are, as an array
select string_agg(sequence::text, ' ' order by sequence) filter (where not waits) as settled,
       string_agg(sequence::text, ' ' order by sequence) filter (where waits) as waiting
  from (select sequence, bool_or(parked or coalesce((properties ->> 'waits')::boolean, false)) as waits
          from mqtt2pg.dead_letter
         where client_id = $1 and journal = $2::uuid and sequence is not null
           and (rule = $3
                or ((parked or coalesce((properties ->> 'waits')::boolean, false))
                    and rule <> all($4::text[]) and not coalesce(properties -> 'rules' ? $3, false)))
         group by sequence) as letters
