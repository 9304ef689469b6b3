-- The first of three moments for which a table that is partitioned by time has no partition; no row when it has all, a default partition,
-- or another kind of partitions. $1: its oid
with partitioned as (
    select p.partrelid
      from pg_catalog.pg_partitioned_table p
      join pg_catalog.pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
     where p.partrelid = $1::oid and p.partstrat = 'r' and p.partnatts = 1 and p.partdefid = 0
       and a.atttypid in ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype)
),
bounds as materialized ( -- none for other kinds of keys, whose bounds are no times
    select regexp_match(pg_get_expr(c.relpartbound, c.oid), $$FROM \('?([^')]*)'?\) TO \('?([^')]*)'?\)$$) as bound
      from partitioned
      join pg_catalog.pg_inherits i on i.inhparent = partitioned.partrelid
      join pg_catalog.pg_class c on c.oid = i.inhrelid
)
select m.words
  from partitioned,
       (values (now(), 'now'), (now() + interval '1 day', 'in a day'), (now() + interval '7 days', 'in a week')) as m (at, words)
 where not exists (select from bounds b
                    where coalesce(nullif(b.bound[1], 'MINVALUE')::timestamptz <= m.at, true)
                      and coalesce(nullif(b.bound[2], 'MAXVALUE')::timestamptz > m.at, true))
 order by m.at
 limit 1
