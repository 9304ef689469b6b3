create table shelly (
    time    timestamptz not null,
    device  text        not null,
    part    text        not null,        -- relay, emeter; switch:0, pm1:0, ...
    channel smallint,
    what    text        not null,        -- power, energy; apower, voltage, ...
    value   numeric     not null
);
create index on shelly (device, what, time);

create table shelly_switched (
    time    timestamptz not null,
    device  text        not null,
    channel smallint    not null,
    state   text        not null         -- on, off, overpower
);
