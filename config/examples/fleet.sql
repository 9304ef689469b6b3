create table telemetry (
    time        timestamptz not null,     -- when it was measured
    device      text        not null,
    temperature double precision,
    humidity    smallint,
    battery     numeric(4,2),
    latitude    double precision,
    longitude   double precision,
    status      text        not null,
    received    timestamptz not null,     -- when the bridge got it
    primary key (device, time)
);

create table device_latest (
    device      text primary key,
    time        timestamptz not null,
    temperature double precision,
    battery     numeric(4,2),
    payload     jsonb       not null      -- all of it, for what has no column
);
