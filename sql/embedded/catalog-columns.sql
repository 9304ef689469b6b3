-- The columns of tables, domains resolved to their base types, of arrays those of the elements too. $1: oids of the tables
with recursive declared as (
    select a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.atthasdef, a.attidentity, a.attgenerated
      from pg_catalog.pg_attribute a
     where a.attrelid = any ($1::oid[]) and a.attnum > 0 and not a.attisdropped
),
-- From each column's declared type down to its base type; a domain may stand on a domain.
resolved as (
    select d.attrelid, d.attnum, 0 as level, d.atttypid as type, d.atttypmod as typmod, false as not_null, false as has_default
      from declared d
    union all
    select r.attrelid, r.attnum, r.level + 1, t.typbasetype, t.typtypmod, r.not_null or t.typnotnull, r.has_default or t.typdefault is not null
      from resolved r
      join pg_catalog.pg_type t on t.oid = r.type
     where t.typtype = 'd'
),
base as (
    select distinct on (r.attrelid, r.attnum) r.*
      from resolved r
     order by r.attrelid, r.attnum, r.level desc
),
-- True arrays only: int2vector, point and name have elements too.
element as (
    select b.attrelid, b.attnum, e.oid as declared, e.oid as type, b.typmod
      from base b
      join pg_catalog.pg_type t on t.oid = b.type
      join pg_catalog.pg_type e on e.oid = t.typelem and e.typarray = t.oid
    union all
    select e.attrelid, e.attnum, e.declared, t.typbasetype, t.typtypmod
      from element e
      join pg_catalog.pg_type t on t.oid = e.type
     where t.typtype = 'd'
),
element_base as (
    select e.*
      from element e
      join pg_catalog.pg_type t on t.oid = e.type
     where t.typtype <> 'd'
)
select d.attrelid as table_oid,
       d.attname as name,
       format_type(d.atttypid, d.atttypmod) as type_name,
       b.type as type_oid,
       e.declared as element_oid,
       coalesce(e.type, b.type) as family_oid,
       coalesce(e.typmod, b.typmod) as typmod,
       d.attnotnull or b.not_null as not_null,
       d.atthasdef or d.attidentity <> '' or b.has_default as has_default,
       d.attgenerated <> '' or d.attidentity = 'a' as generated,
       el.typdelim as delimiter,
       -- What a default (serial is one) draws from and this role may not; identity columns need no privilege.
       (select s.oid::regclass
          from pg_catalog.pg_attrdef k
          join pg_catalog.pg_depend x on x.classid = 'pg_catalog.pg_attrdef'::regclass and x.objid = k.oid
                                     and x.refclassid = 'pg_catalog.pg_class'::regclass
          join pg_catalog.pg_class s on s.oid = x.refobjid
         where k.adrelid = d.attrelid and k.adnum = d.attnum and d.attgenerated = ''
           and case when s.relkind = 'S' then not has_sequence_privilege(s.oid, 'usage, update') end
         limit 1) as denied_sequence,
       -- With -1 instead of null no type gets a length of 1: bpchar, "bit".
       format_type(b.type, -1) as base_name,
       d.atttypid as declared_oid,
       -- Where the whole table is denied, no column says it again.
       has_any_column_privilege(d.attrelid, 'insert') and not has_column_privilege(d.attrelid, d.attnum, 'insert') as denied
  from declared d
  join base b on b.attrelid = d.attrelid and b.attnum = d.attnum
  left join element_base e on e.attrelid = d.attrelid and e.attnum = d.attnum
  left join pg_catalog.pg_type el on el.oid = e.declared
 order by d.attrelid, d.attnum
