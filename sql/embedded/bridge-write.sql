-- How this bridge is: its row in the table bridge, without waiting for the disk, or for long for whoever holds the row. With a lease no row comes back when another process wrote
-- the row within it, from another journal. $1: client_id, $2: journal, $3: version, $4: host, $5: started_at, $6: connected_at
-- (microseconds since 1970), $7: backlog, $8: delay_seconds, $9: messages_per_second, $10: rows_per_second, $11: last_error,
-- $12: last_error_at, $13: the lease in seconds; null: none
insert into mqtt2pg.bridge as b (client_id, journal, version, host, started_at, connected_at, refreshed_at, backlog, delay_seconds,
                                 messages_per_second, rows_per_second, last_error, last_error_at)
select $1, $2::uuid, $3, $4,
       timestamptz 'epoch' + $5::bigint * interval '1 microsecond',
       timestamptz 'epoch' + $6::bigint * interval '1 microsecond',
       clock_timestamp(), $7::bigint, $8::float8, $9::float8, $10::float8, $11,
       timestamptz 'epoch' + $12::bigint * interval '1 microsecond'
  from (select set_config('synchronous_commit', 'off', true), set_config('lock_timeout', '200ms', true)) as no_wait
on conflict (client_id) do update
   set journal = excluded.journal, version = excluded.version, host = excluded.host, started_at = excluded.started_at,
       connected_at = excluded.connected_at, refreshed_at = excluded.refreshed_at, backlog = excluded.backlog,
       delay_seconds = excluded.delay_seconds, messages_per_second = excluded.messages_per_second,
       rows_per_second = excluded.rows_per_second, last_error = excluded.last_error, last_error_at = excluded.last_error_at
 where $13::int is null or b.journal = excluded.journal
    or b.refreshed_at < clock_timestamp() - $13::int * interval '1 second'
returning (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock_us
