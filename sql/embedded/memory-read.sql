-- All that is remembered. Of the client's journals the one stored last counts; what was learned in others has the number 0, and of that
-- only the newest entry of a key is of use. $1: client_id
with own as (select journal from mqtt2pg.progress where client_id = $1 order by stored_at desc limit 1)
select m.kind, m.key, case when m.journal = own.journal then m.sequence else 0 end as sequence, m.content
  from mqtt2pg.memory m, own
 where m.client_id = $1
   and (m.journal = own.journal
        or not exists (select from mqtt2pg.memory n
                        where n.client_id = $1 and n.kind = m.kind and n.key = m.key and n.journal <> own.journal
                          and (n.learned_at, n.sequence) > (m.learned_at, m.sequence)))
