-- What a backend of ours waits for. Of other sessions' statements only the first words: the rest may hold values. $1: its pid
select a.wait_event_type,
       a.wait_event,
       current_setting('synchronous_standby_names') as standbys,
       (select string_agg(l.relation::regclass::text, ', ')
          from pg_locks l
         where l.pid = a.pid and not l.granted and l.relation is not null) as relations,
       (select string_agg(format('pid %s%s', b.pid, coalesce(': ' || substring(b.query from '^\s*([[:alpha:]]+(?:\s+[[:alpha:]]+)?)'), '')), ', ')
          from pg_stat_activity b
         where b.pid = any(pg_blocking_pids(a.pid))) as holders
  from pg_stat_activity a
 where a.pid = $1::int
