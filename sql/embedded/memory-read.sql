-- A page of what is remembered, in the order of the primary key. Of the client's journals the one stored last counts; what was learned in
-- others has the number 0, and of that only the newest entry of a key is of use. $1: client_id, the page begins behind $2: journal, $3: kind,
-- $4: key, $5: sequence, and ends before its contents have more than $6 bytes, or with one entry
with own as (select journal from mqtt2pg.progress where client_id = $1 order by stored_at desc limit 1),
page as (
    select m.journal, m.kind, m.key, m.sequence, case when m.journal = own.journal then m.sequence else 0 end as number, m.content
      from mqtt2pg.memory m, own
     where m.client_id = $1
       and (m.journal, m.kind, m.key, m.sequence) > ($2::uuid, $3::text, $4::text, $5::bigint)
       and (m.journal = own.journal
            or not exists (select from mqtt2pg.memory n
                            where n.client_id = $1 and n.kind = m.kind and n.key = m.key and n.journal <> own.journal
                              and (n.learned_at, n.sequence) > (m.learned_at, m.sequence)))
     order by m.journal, m.kind, m.key, m.sequence
     limit 1000
)
select kind, key, number, content, journal, sequence
  from (select *, row_number() over behind as row, sum(octet_length(content)) over behind as bytes
          from page
        window behind as (order by journal, kind, key, sequence)) as pages
 where row = 1 or bytes <= $6::bigint
 order by journal, kind, key, sequence
