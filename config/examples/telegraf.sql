-- Tables for telegraf.cfg.
create table cpu (
    time timestamptz not null,
    host text not null,
    cpu text,
    usage_user double precision,
    usage_system double precision,
    usage_idle double precision
);
create index on cpu (host, time);

create table telegraf (
    time timestamptz not null,
    measurement text not null,
    tags jsonb,
    fields jsonb
);
create index on telegraf (measurement, time);
create index on telegraf using gin (tags);
