create table track (
    time      timestamptz      not null,
    person    text             not null,
    device    text             not null,
    latitude  double precision not null,
    longitude double precision not null,
    spot      point generated always as (point(longitude, latitude)) stored,
    -- With PostGIS rather:
    -- spot   geography(point) generated always as (st_setsrid(st_makepoint(longitude, latitude), 4326)::geography) stored,
    accuracy  real,                      -- m
    altitude  real,                      -- m
    battery   smallint,                  -- %
    speed     real,                      -- km/h
    primary key (person, device, time)
);

create table whereabouts (
    person    text,
    device    text,
    time      timestamptz      not null,
    latitude  double precision not null,
    longitude double precision not null,
    primary key (person, device)
);
