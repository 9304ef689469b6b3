-- partitioned.sql: the sample table in partitions of a day, so that old days go at once and for nothing.
--
--   psql -d telemetry -f sql/partitioned.sql                        (instead of telemetry.sql, before it or views.sql)
--   select public.telemetry_maintain();                             every few hours: cron and psql, or pg_cron
--   select public.telemetry_maintain(keep => '30 days', ahead => 14);
--
-- A day is one of UTC, whatever the time zone of the session. Readings from no partition's day (a device whose clock is wrong, or nobody
-- called telemetry_maintain for a week) go to telemetry_default, and from there into their day's partition when that is made.
-- For many tables see the extension pg_partman, which does the same in general.
--
-- Harmless when it is run again. An ordinary table of that name is left alone, with an error that says so.

\set ON_ERROR_STOP on
begin;

create table if not exists public.telemetry (
    time timestamptz not null,
    device text not null,
    temperature double precision,
    humidity double precision,
    battery real,
    status text,
    payload jsonb,
    received timestamptz not null default now(),
    primary key (device, time)
) partition by range (time);

do $$
begin
    if (select relkind from pg_class where oid = 'public.telemetry'::regclass) <> 'p' then
        raise exception 'public.telemetry is there already, and not partitioned'
            using hint = 'Rename it, run this file, and copy its rows: insert into public.telemetry select * from the old one.';
    end if;
end
$$;

create table if not exists public.telemetry_default partition of public.telemetry default;

commit;

-- Index, comments and the view of the latest readings are those of the ordinary table.
\ir telemetry.sql

-- Makes the partition of one day where it is missing, and moves into it what has come before it was there.
create or replace function public.telemetry_make_partition(day date) returns text
language plpgsql as $$
declare
    name text := 'telemetry_p' || to_char(day, 'YYYYMMDD');
    begins timestamptz := day::timestamp at time zone 'UTC';
    ends timestamptz := (day + 1)::timestamp at time zone 'UTC';
begin
    if to_regclass('public.' || name) is not null then
        return null;
    end if;
    -- Nobody may add a row of that day to the default partition between the move and the attachment.
    lock table public.telemetry_default in share row exclusive mode;
    execute format('create table public.%I (like public.telemetry including defaults)', name);
    execute format('with moved as (delete from public.telemetry_default where time >= %L and time < %L returning *) '
                   'insert into public.%I select * from moved', begins, ends, name);
    execute format('alter table public.telemetry attach partition public.%I for values from (%L) to (%L)', name, begins, ends);
    return name;
end
$$;

comment on function public.telemetry_make_partition(date) is 'makes the partition of that day (UTC); its name, or null when it is there';

-- Yesterday is among them: readings may be late.
create or replace function public.telemetry_make_partitions(ahead integer default 7, back integer default 1) returns setof text
language sql as $$
    select made
      from generate_series(-back, ahead) as days,
           public.telemetry_make_partition((now() at time zone 'UTC')::date + days) as made
     where made is not null
$$;

comment on function public.telemetry_make_partitions(integer, integer) is 'makes the partitions of the days around today; the names of those made';

-- Drops partitions whose whole day is older than `keep`. The default partition is emptied likewise.
create or replace function public.telemetry_drop_partitions(keep interval) returns setof text
language plpgsql as $$
declare
    partition record;
begin
    if keep < interval '1 day' then
        raise exception 'keep is %: less than a day would drop today''s readings', keep;
    end if;
    for partition in
        select c.relname as name
          from pg_inherits i
          join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'public.telemetry'::regclass
           and c.relname ~ '^telemetry_p\d{8}$'
           and (to_date(right(c.relname, 8), 'YYYYMMDD') + 1)::timestamp at time zone 'UTC' <= now() - keep
         order by 1
    loop
        execute format('drop table public.%I', partition.name);
        return next partition.name;
    end loop;
    delete from public.telemetry_default where time < now() - keep;
end
$$;

comment on function public.telemetry_drop_partitions(interval) is 'drops the partitions of days older than that; their names';

-- What has to be called every few hours.
create or replace function public.telemetry_maintain(keep interval default '90 days', ahead integer default 7)
returns table (made text[], dropped text[])
language sql as $$
    select (select coalesce(array_agg(name), '{}') from public.telemetry_make_partitions(ahead) as name),
           (select coalesce(array_agg(name), '{}') from public.telemetry_drop_partitions(keep) as name)
$$;

comment on function public.telemetry_maintain(interval, integer) is 'makes the partitions of the next days and drops old ones';

-- Only their owner drops and makes tables.
revoke execute on function public.telemetry_make_partition(date), public.telemetry_make_partitions(integer, integer),
    public.telemetry_drop_partitions(interval), public.telemetry_maintain(interval, integer) from public;

select public.telemetry_make_partitions();
