create table modbus_reading (time timestamptz not null, unit text not null, temperature numeric, power real, energy bigint, relay_1 boolean, relay_2 boolean);
