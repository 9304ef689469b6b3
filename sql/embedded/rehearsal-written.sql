-- The tables that this transaction has written rows to, as far as they may be read, without temporary ones; large ones are not searched for the rows.
select format('%I.%I', s.schemaname, s.relname) as name, c.reltuples > 1000000 as large
  from pg_catalog.pg_stat_xact_user_tables s
  join pg_catalog.pg_class c on c.oid = s.relid
 where s.n_tup_ins + s.n_tup_upd > 0
   and c.relpersistence <> 't'
   and has_table_privilege(s.relid, 'select')
 order by 1
