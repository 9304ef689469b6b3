create table solar_reading (time timestamptz not null, inverter text not null, channel smallint not null, measure text not null, value double precision not null);
create table solar_status (inverter text, measure text, value text, time timestamptz, primary key (inverter, measure));
