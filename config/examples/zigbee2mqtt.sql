create table zigbee (
    time    timestamptz not null,
    device  text        not null,
    message jsonb       not null
);
create index on zigbee (device, time);

create table zigbee_value (
    time   timestamptz      not null,
    device text             not null,
    name   text             not null,
    value  double precision not null
);
create index on zigbee_value (device, name, time);

create type zigbee_state as enum ('online', 'offline');
create table zigbee_availability (
    device text primary key,
    online zigbee_state not null,
    since  timestamptz  not null
);
