create table ttn_uplink (
    time        timestamptz not null,
    application text        not null,
    device      text        not null,
    eui         bytea       not null,
    port        smallint    not null,
    counter     bigint      not null,
    payload     bytea,
    decoded     jsonb,
    frequency   bigint
);
create index on ttn_uplink (device, time);

create table ttn_gateway (
    time    timestamptz not null,
    device  text        not null,
    counter bigint      not null,
    gateway text        not null,
    rssi    real,
    snr     real
);
