-- views.sql: what dashboards ask of the sample table and of the bridge.
--
--   psql -d telemetry -f sql/views.sql
--
-- After mqtt2pg.sql and telemetry.sql (or partitioned.sql, timescale.sql). Harmless when it is run again. Each view looks at a limited
-- time only, so that a dashboard is as fast after years as on the first day; for other spans copy the query and change the interval.

-- Readings a minute of each device, of the last day.
create or replace view public.telemetry_minute as
select date_trunc('minute', time) as minute,
       device,
       count(*) as readings,
       avg(temperature) as temperature,
       min(temperature) as temperature_min,
       max(temperature) as temperature_max,
       avg(humidity) as humidity,
       min(battery) as battery
  from public.telemetry
 where time >= date_trunc('minute', now()) - interval '1 day'
 group by 1, 2;

comment on view public.telemetry_minute is 'readings of each device by the minute, of the last day';

-- Readings an hour, of the last 30 days. Hours that begin with UTC's have the same bounds in (nearly) every zone, and whoever asks.
create or replace view public.telemetry_hour as
select date_trunc('hour', time, 'UTC') as hour,
       device,
       count(*) as readings,
       avg(temperature) as temperature,
       min(temperature) as temperature_min,
       max(temperature) as temperature_max,
       avg(humidity) as humidity,
       min(battery) as battery
  from public.telemetry
 where time >= date_trunc('hour', now(), 'UTC') - interval '30 days'
 group by 1, 2;

comment on view public.telemetry_hour is 'readings of each device by the hour, of the last 30 days';

-- Devices that have said nothing for ten minutes, by the bridge's clock: a device's own may be wrong.
create or replace view public.telemetry_silent as
select device, time, received, now() - received as silent_for
  from public.telemetry_latest
 where received < now() - interval '10 minutes';

comment on view public.telemetry_silent is 'devices from which nothing has come for ten minutes, and for how long';

-- How long readings take from the device's clock to the bridge, by the minute, of the last hour. Negative: a device's clock is ahead.
create or replace view public.telemetry_delay as
select date_trunc('minute', received) as minute,
       count(*) as readings,
       percentile_cont(0.5) within group (order by extract(epoch from received - time)) as median_seconds,
       percentile_cont(0.95) within group (order by extract(epoch from received - time)) as p95_seconds,
       max(extract(epoch from received - time))::double precision as max_seconds
  from public.telemetry
 -- By the index: what was measured two hours before it came is not looked for.
 where received >= now() - interval '1 hour'
   and time >= now() - interval '3 hours'
 group by 1;

comment on view public.telemetry_delay is 'seconds from measuring to receiving, by the minute, of the last hour';

-- Dead letters by what is wrong: the rule, values in quotes (but no names of columns) and numbers are taken out of the reasons, so that one mistake
-- is one row.
create or replace view public.dead_letter_reasons as
select rule,
       regexp_replace(regexp_replace(regexp_replace(regexp_replace(reason, '^rule "[^"]*": ', ''), 'column "([^"]*)"', 'column \1', 'g'),
                                     '"[^"]*"', '"…"', 'g'),
                      '-?\d+(\.\d+)?', '#', 'g') as reason,
       sqlstate,
       parked,
       count(*) as messages,
       min(failed_at) as first_at,
       max(failed_at) as last_at,
       (array_agg(topic order by failed_at desc))[1] as last_topic
  from mqtt2pg.dead_letter
 group by 1, 2, 3, 4;

comment on view public.dead_letter_reasons is 'dead letters, counted by rule and reason';

-- How far each bridge is.
create or replace view public.bridge_progress as
select client_id, max(stored_at) as stored_at, now() - max(stored_at) as ago
  from mqtt2pg.progress
 group by client_id;

comment on view public.bridge_progress is 'when each bridge has stored last';
