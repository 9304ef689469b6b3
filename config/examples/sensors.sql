-- Table for sensors.cfg.
create table sensors (
    time timestamptz not null,
    sensor text not null,
    celsius real,
    raw bytea,
    quality text
);
create index on sensors (sensor, time);
