-- Table for plc.cfg.
create table plc_log (
    time timestamptz not null,
    line text not null,
    sensor text not null,
    value numeric
);
create index on plc_log (line, sensor, time);
