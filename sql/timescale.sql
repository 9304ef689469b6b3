-- timescale.sql: the sample table as a hypertable, where the extension TimescaleDB is installed; else it says so and does nothing.
--
--   psql -d telemetry -f sql/timescale.sql                          (after telemetry.sql, not after partitioned.sql)
--
-- Chunks of a day, compressed after a week, dropped after 90 days. Harmless when it is run again. On a table with readings it moves them,
-- which takes its time.

do $$
begin
    if not exists (select from pg_available_extensions where name = 'timescaledb') then
        raise notice 'the extension timescaledb is not installed on this server: public.telemetry stays as it is';
        return;
    end if;
    create extension if not exists timescaledb;
    perform create_hypertable('public.telemetry', 'time', chunk_time_interval => interval '1 day', if_not_exists => true,
                              migrate_data => true);
    if not (select compression_enabled from timescaledb_information.hypertables
             where hypertable_schema = 'public' and hypertable_name = 'telemetry') then
        alter table public.telemetry set (timescaledb.compress, timescaledb.compress_segmentby = 'device');
    end if;
    perform add_compression_policy('public.telemetry', interval '7 days', if_not_exists => true);
    perform add_retention_policy('public.telemetry', interval '90 days', if_not_exists => true);
end
$$;
