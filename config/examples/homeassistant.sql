create table ha_measurement (
    time   timestamptz not null,
    domain text        not null,
    entity text        not null,
    value  numeric     not null
);
create index on ha_measurement (entity, time);

create table ha_state (
    time   timestamptz not null,
    domain text        not null,
    entity text        not null,
    state  text        not null
);
create index on ha_state (entity, time);

create table ha_attribute (
    domain    text,
    entity    text,
    attribute text,
    value     jsonb,
    time      timestamptz not null,
    primary key (domain, entity, attribute)
);
