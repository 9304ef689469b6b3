create table logger_reading (site text not null, time timestamptz not null, temperature numeric, humidity numeric);
