-- What formats with state have learned. $1: client_id, $2: journal, then arrays: $3: kind, $4: key, $5: sequence, $6: content (hex)
insert into mqtt2pg.memory (client_id, journal, kind, key, sequence, content)
select $1, $2::uuid, kind, key, sequence, decode(content, 'hex')
  from unnest($3::text[], $4::text[], $5::bigint[], $6::text[]) as learned (kind, key, sequence, content)
on conflict do nothing
