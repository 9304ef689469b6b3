-- A new replay; a finished one of the rule gives way. $1: client_id, $2: journal, $3: rule, $4, $5: received between, microseconds since 1970
insert into mqtt2pg.replay as r (client_id, journal, rule, from_time, to_time, position, started_at, moved_at)
values ($1, $2::uuid, $3, to_timestamp($4::bigint / 1000000.0), to_timestamp($5::bigint / 1000000.0), 0, clock_timestamp(), clock_timestamp())
    on conflict (client_id, journal, rule) do update
   set from_time = excluded.from_time, to_time = excluded.to_time, position = 0, started_at = excluded.started_at, moved_at = excluded.moved_at,
       finished_at = null
 where r.finished_at is not null
returning 1
