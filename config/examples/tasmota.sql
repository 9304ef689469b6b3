create table tasmota_climate (
    time        timestamptz not null,
    device_time timestamp,               -- as the device's own clock has it, without a zone
    device      text        not null,
    sensor      text        not null,
    temperature real,
    humidity    real,
    unit        text
);
create index on tasmota_climate (device, sensor, time);

create table tasmota_energy (
    time      timestamptz not null,
    device    text        not null,
    power     real,                      -- W
    voltage   real,                      -- V
    current   real,                      -- A
    today_kwh numeric,
    total_kwh numeric
);
create index on tasmota_energy (device, time);
