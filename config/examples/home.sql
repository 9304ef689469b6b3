create table home (
    time   timestamptz not null,
    room   text        not null,
    sensor text        not null,
    value  numeric     not null
);
create index on home (room, sensor, time);
