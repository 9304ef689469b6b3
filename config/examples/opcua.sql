create table opcua_value (time timestamptz not null, publisher text, writer bigint, tag text, value jsonb, status bigint);
