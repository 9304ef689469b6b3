create table lorawan_reading (time timestamptz not null, device text not null, temperature numeric, humidity numeric, voltage numeric);
