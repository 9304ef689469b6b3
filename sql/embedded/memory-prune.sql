-- Removes what has a newer entry at or before the position, unless a dead letter came before that one. $1: client_id, $2: journal,
-- $3: position. The condition on the topic is that of the index dead_letter_sparkplug.
delete from mqtt2pg.memory m
 where m.client_id = $1 and m.journal = $2::uuid
   and exists (select from mqtt2pg.memory n
                where n.client_id = $1 and n.journal = $2::uuid and n.kind = m.kind and n.key = m.key
                  and n.sequence > m.sequence
                  and n.sequence <= least($3::bigint, (select min(sequence) - 1 from mqtt2pg.dead_letter
                                                        where client_id = $1 and journal = $2::uuid
                                                          and (topic like 'spBv1.0/%' or topic like '%/spBv1.0/%'))))
returning kind, key, sequence
