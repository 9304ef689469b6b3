create table esphome_reading (time timestamptz not null, device text not null, sensor text not null, value double precision not null);
create table esphome_switch (time timestamptz not null, device text not null, sensor text not null, is_on boolean not null);
