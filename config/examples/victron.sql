create table victron_reading (time timestamptz not null, portal text, service text, instance int, path text, value double precision);
create table victron_state (portal text, service text, instance int, path text, value jsonb, time timestamptz, primary key (portal, service, instance, path));
