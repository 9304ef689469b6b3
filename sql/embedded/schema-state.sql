-- What the bridge's own schema lacks: missing tables and columns, missing privileges, and what storing can do without: indexes, and columns that a
-- later version has added for commands and the status page. Null where all is well. $1: schema
with wanted (name, columns, privileges) as (values
    ('progress', array['client_id', 'journal', 'position', 'stored_at'], array['select', 'insert', 'update']),
    ('dead_letter', array['id', 'received_at', 'failed_at', 'rule', 'topic', 'payload', 'qos', 'retained', 'properties', 'reason',
                          'sqlstate', 'parked', 'client_id', 'journal', 'sequence'],
                    array['select', 'insert', 'update', 'delete']),
    ('gap', array['id', 'noticed_at', 'client_id', 'cause', 'from_time', 'to_time', 'messages', 'acknowledged_at'],
            array['insert']),
    ('memory', array['client_id', 'journal', 'kind', 'key', 'sequence', 'content', 'learned_at'],
               array['select', 'insert', 'delete', 'update']),
    -- The service works without its row there, so no privilege is asked for.
    ('bridge', array['client_id', 'journal', 'version', 'host', 'started_at', 'connected_at', 'refreshed_at', 'backlog',
                     'delay_seconds', 'messages_per_second', 'rows_per_second', 'last_error', 'last_error_at'], array[]::text[]),
    -- For the command `replay` alone.
    ('replay', array['client_id', 'journal', 'rule', 'from_time', 'to_time', 'position', 'started_at', 'moved_at', 'finished_at',
                     'last', 'left_out'],
               array[]::text[])
),
-- Storing needs none of these.
spared (name, column_name) as (values ('gap', 'acknowledged_at'), ('replay', 'last'), ('replay', 'left_out')),
found as (
    select w.name, w.columns, w.privileges, c.oid
      from wanted w
      left join pg_catalog.pg_namespace n on n.nspname = $1
      left join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = w.name
),
lacking as (
    select f.name, c.column_name, f.oid is not null and exists (select from spared s where (s.name, s.column_name) = (f.name, c.column_name)) as spared
      from found f
      left join unnest(f.columns) as c (column_name) on f.oid is not null
     where not exists (select from pg_catalog.pg_attribute a
                        where a.attrelid = f.oid and a.attname = c.column_name and not a.attisdropped)
)
select (select string_agg(name || coalesce('.' || column_name, ''), ', ' order by name, column_name) from lacking where not spared) as missing,
       (select string_agg(privilege || ' on ' || f.name, ', ' order by f.name, privilege)
          from found f, unnest(f.privileges) as privilege
         where f.oid is not null and not has_table_privilege(f.oid, privilege)) as denied,
       exists (select from pg_catalog.pg_namespace n
                where n.nspname = $1 and not has_schema_privilege(n.oid, 'usage')) as closed,
       (select string_agg(lack, ', ' order by lack)
          from (select name || '.' || column_name as lack from lacking where spared
                union all
                select i.name
                  from unnest(array['dead_letter_failed_at', 'dead_letter_parked_by_client', 'dead_letter_sparkplug', 'dead_letter_waiting']) as i (name)
                 where not exists (select
                                     from pg_catalog.pg_class c
                                     join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                                    where n.nspname = $1 and c.relname = i.name and c.relkind in ('i', 'I'))) as l) as spared
