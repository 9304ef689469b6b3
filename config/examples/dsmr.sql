create table dsmr_reading (meter text, time timestamptz, power numeric, energy numeric, gas numeric, gas_time timestamptz, primary key (meter, time));
