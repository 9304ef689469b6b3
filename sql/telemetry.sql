-- telemetry.sql: a sample table for readings of devices, and what people ask of it.
--
--   psql -d telemetry -f sql/telemetry.sql
--
-- It fits the sample configuration's rule, in which each column takes its value from the topic or the payload:
--   devices/dev-1/telemetry  {"ts": 1790000000123, "temperature": 21.5, "status": "ok"}
--
-- Harmless when it is run again.

create table if not exists public.telemetry (
    time timestamptz not null,
    device text not null,
    temperature double precision,
    humidity double precision,
    battery real,
    status text,
    payload jsonb,
    received timestamptz not null default now(),
    -- One reading a device and moment; what `on_conflict` with `key = ("device", "time")` needs.
    primary key (device, time)
);

-- For questions about a time span over all devices. Rows come in the order of time, so a small block range index will do.
create index if not exists telemetry_time on public.telemetry using brin (time);

comment on table public.telemetry is 'readings of devices, stored by mqtt2pg';
comment on column public.telemetry.time is 'when the device measured, by its own clock';
comment on column public.telemetry.device is 'name of the device, from the topic';
comment on column public.telemetry.temperature is 'degrees Celsius';
comment on column public.telemetry.humidity is 'relative, percent';
comment on column public.telemetry.battery is 'percent';
comment on column public.telemetry.status is 'what the device says of itself';
comment on column public.telemetry.payload is 'the message, where a rule stores all of it';
comment on column public.telemetry.received is 'when the bridge received the message';

-- The newest reading of each device. Walks the primary key from device to device instead of reading every row, so that it is as
-- fast with a year of readings as with a day.
create or replace view public.telemetry_latest as
with recursive device_list as (
    (select device from public.telemetry order by device limit 1)
    union all
    select (select t.device from public.telemetry t where t.device > d.device order by t.device limit 1)
      from device_list d
     where d.device is not null
)
select newest.*
  from device_list d
 cross join lateral (select t.*
                       from public.telemetry t
                      where t.device = d.device
                      order by t.time desc
                      limit 1) as newest;

comment on view public.telemetry_latest is 'the newest reading of each device';
