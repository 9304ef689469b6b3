-- A table and its partitions, for those who make and drop partitions; no row when there is no such table. $1: its oid
-- Times are microseconds since 1970; of timestamp and date as if they were UTC.
with target as (
    select c.oid, c.relkind, c.relowner, p.partdefid, a.attname, a.atttypid
      from pg_catalog.pg_class c
      left join pg_catalog.pg_partitioned_table p
        on p.partrelid = c.oid and p.partstrat = 'r' and p.partnatts = 1 and p.partattrs[0] <> 0
      left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = p.partattrs[0]
     where c.oid = $1::oid
),
children as materialized (
    select c.oid,
           format('%I.%I', n.nspname, c.relname) as name,
           pg_get_expr(c.relpartbound, c.oid) as bound,
           c.oid = target.partdefid as is_default,
           coalesce(obj_description(c.oid, 'pg_class') like 'made by mqtt2pg%', false) as mine,
           substring(obj_description(c.oid, 'pg_class') from '^made by mqtt2pg at (\d{4}-\d\d-\d\d \d\d:\d\d:[0-9.]+\+00)$') as made_at,
           regexp_match(pg_get_expr(c.relpartbound, c.oid), $$FROM \('?([^')]*)'?\) TO \('?([^')]*)'?\)$$) as ends
      from target
      join pg_catalog.pg_inherits i on i.inhparent = target.oid
      join pg_catalog.pg_class c on c.oid = i.inhrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where target.atttypid in ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype)
),
bounds as (
    select c.oid, side,
           case when text in ('MINVALUE', '-infinity') then -9000000000000000000
                when text in ('MAXVALUE', 'infinity') then 9000000000000000000
                when t.atttypid = 'timestamptz'::regtype then extract(epoch from text::timestamptz) * 1000000
                else extract(epoch from text::timestamp) * 1000000
           end as us
      from target t, children c, unnest(c.ends) with ordinality as e (text, side)
)
select t.relkind,
       t.attname as key,
       t.atttypid in ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype) as key_is_time,
       t.atttypid = 'date'::regtype as key_is_date,
       pg_has_role(t.relowner, 'usage') as is_owner,
       -- A row leaves the default partition by DELETE (bit 3 of tgtype), which these would notice.
       exists (select from pg_catalog.pg_trigger g
                where g.tgrelid in (t.oid, t.partdefid) and not g.tgisinternal and g.tgtype & 8 <> 0)
       or exists (select from pg_catalog.pg_constraint f where f.confrelid = t.oid and f.contype = 'f') as rows_stay,
       (extract(epoch from now()) * 1000000)::bigint as now_us,
       c.oid,
       c.name,
       c.bound,
       c.is_default,
       c.mine,
       least(greatest(f.us, -9000000000000000000), 9000000000000000000)::bigint as from_us,
       least(greatest(u.us, -9000000000000000000), 9000000000000000000)::bigint as to_us,
       (extract(epoch from c.made_at::timestamptz) * 1000000)::bigint as made_us
  from target t
  left join children c on true
  left join bounds f on f.oid = c.oid and f.side = 1
  left join bounds u on u.oid = c.oid and u.side = 2
 order by c.is_default, f.us
