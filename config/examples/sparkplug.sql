-- Tables for sparkplug.cfg. The name of a device is unique within its edge node only, that of an edge node within its group.
create table metric (
    time timestamptz not null,
    grp text not null,
    edge text not null,
    device text not null,
    name text not null,
    value jsonb,
    historical boolean not null
);
create index on metric (grp, edge, device, name, time);

create table metric_latest (
    time timestamptz not null,
    grp text not null,
    edge text not null,
    device text not null,
    name text not null,
    value jsonb,
    primary key (grp, edge, device, name)
);

create table device_state (
    changed timestamptz not null,
    grp text not null,
    edge text not null,
    device text not null,
    online boolean not null,
    primary key (grp, edge, device)
);

-- An edge node that is offline has no device that is online.
create view online as
select d.grp, d.edge, d.device, d.online and n.online as online, greatest(d.changed, n.changed) as changed
  from device_state d
  join device_state n on n.grp = d.grp and n.edge = d.edge and n.device = '';
