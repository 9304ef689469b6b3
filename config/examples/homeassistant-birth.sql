create table ha_discovery (path text primary key, component text, name text, device_class text, state_topic text, config jsonb);
create table ha_status (time timestamptz not null, is_online boolean not null);
