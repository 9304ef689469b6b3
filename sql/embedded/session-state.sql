-- Whom we are connected to, asked once per connection.
select current_setting('server_version_num')::int as version,
       current_setting('server_encoding') as encoding,
       current_setting('transaction_read_only')::boolean as read_only,
       pg_is_in_recovery() as standby,
       pg_backend_pid() as pid,
       (select (extract(epoch from backend_start) * 1000000)::bigint from pg_stat_get_activity(pg_backend_pid())) as backend_start_us,
       (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock_us
