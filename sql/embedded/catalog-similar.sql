-- A table that somebody may have meant: its name differs only in the case of letters, because quotes were left out.
-- $1: the name as SQL reads it without quotes, perhaps with its schema
select case when pg_catalog.pg_table_is_visible(c.oid) then quote_ident(c.relname)
            else quote_ident(n.nspname) || '.' || quote_ident(c.relname) end
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace,
       pg_catalog.parse_ident($1, true) as wanted
 where c.relkind in ('r', 'p', 'v', 'f')
   and pg_catalog.lower(c.relname) = pg_catalog.lower(wanted[array_upper(wanted, 1)])
   and (array_upper(wanted, 1) = 1 or pg_catalog.lower(n.nspname) = pg_catalog.lower(wanted[1]))
 order by not pg_catalog.pg_table_is_visible(c.oid), n.nspname, c.relname
 limit 1
