-- Ends the backend of this process's previous connection. No row when it has ended. $1: pid, $2: backend_start in microseconds since 1970
select pg_terminate_backend(a.pid)
  from pg_stat_activity a
 where a.pid = $1::int
   and (extract(epoch from a.backend_start) * 1000000)::bigint = $2::bigint
