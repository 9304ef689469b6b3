create table meter_reading (
    meter text        not null,
    id    bigint      not null,
    at    timestamptz not null,
    kwh   numeric     not null,
    primary key (meter, id)
);

create table orders (
    id       uuid primary key,
    received timestamptz not null,
    body     jsonb       not null
);
