-- Ends the backend of this process's previous connection, but not one whose COMMIT waits for a synchronous standby: ended, PostgreSQL
-- would take the transaction for committed without it. No row when it has ended. $1: pid, $2: backend_start in microseconds since 1970
select case when a.wait_event = 'SyncRep' then 'waits' when pg_terminate_backend(a.pid) then 'ended' end as state
  from pg_stat_activity a
 where a.pid = $1::int
   and (extract(epoch from a.backend_start) * 1000000)::bigint = $2::bigint
