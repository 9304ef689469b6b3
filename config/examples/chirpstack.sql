create table chirpstack_up (
    id          uuid        primary key,
    time        timestamptz not null,
    application uuid        not null,
    device      text        not null,
    eui         bytea       not null,
    port        smallint    not null,
    counter     bigint      not null,
    payload     bytea,
    decoded     jsonb,
    rssi        smallint,
    snr         real,
    gateway     text
);
create index on chirpstack_up (eui, time);

create table chirpstack_event (
    time  timestamptz not null,
    eui   bytea       not null,
    event text        not null,
    body  jsonb       not null
);
