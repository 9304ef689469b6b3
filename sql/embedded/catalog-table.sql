-- What rules' tables are. No row for one that does not exist. $1: their names as in SQL; place counts them from 1
select r.place,
       c.oid,
       n.nspname as schema,
       c.relname as name,
       c.relkind as kind,
       has_any_column_privilege(c.oid, 'insert') as can_insert,
       has_any_column_privilege(c.oid, 'update') as can_update,
       has_any_column_privilege(c.oid, 'select') as can_select,
       -- COPY fires no rules, knows no views, and does not work under row-level security.
       c.relkind in ('r', 'p', 'f')
       and not row_security_active(c.oid)
       and not exists (select from pg_catalog.pg_rewrite r
                        where r.ev_class = c.oid and r.ev_type = '3' and r.ev_enabled <> 'D') as copy_works
  from unnest($1::text[]) with ordinality as r (name, place)
  join pg_catalog.pg_class c on c.oid = to_regclass(r.name)
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
