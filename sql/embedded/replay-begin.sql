-- A new replay; a finished one of the rule gives way. No row when there is one that did not end. $1: client_id, $2: journal, $3: rule,
-- $4, $5: received between, microseconds since 1970, $6: its last message, $7: numbers of the messages that it passes over, as an array
insert into mqtt2pg.replay as r (client_id, journal, rule, from_time, to_time, position, started_at, moved_at, last, left_out)
values ($1, $2::uuid, $3, to_timestamp($4::bigint / 1000000.0), to_timestamp($5::bigint / 1000000.0), 0, clock_timestamp(), clock_timestamp(),
        $6::bigint, $7::bigint[])
    on conflict (client_id, journal, rule) do update
   set from_time = excluded.from_time, to_time = excluded.to_time, position = 0, started_at = excluded.started_at, moved_at = excluded.moved_at,
       finished_at = null, last = excluded.last, left_out = excluded.left_out
 where r.finished_at is not null
returning 1
