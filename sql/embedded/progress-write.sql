-- Sets the progress outright. $1: client_id, $2: journal, $3: position
insert into mqtt2pg.progress (client_id, journal, position, stored_at)
values ($1, $2::uuid, $3::bigint, clock_timestamp())
on conflict (client_id, journal) do update
   set position = excluded.position, stored_at = excluded.stored_at
