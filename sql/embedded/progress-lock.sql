-- The session's lock for one identity; when another session has it, whose it is and whether its COMMIT waits for a synchronous standby.
-- $1: schema, $2: client_id
with identity as (
    select hashtextextended('mqtt2pg' || chr(31) || $1::text || chr(31) || $2::text, 0) as key
),
attempt as materialized (
    select pg_try_advisory_lock(key) as taken, key from identity
)
select t.taken,
       h.wait_event = 'SyncRep' as waits,
       'pid ' || h.pid || coalesce(' from ' || host(h.client_addr), '') as holder
  from attempt t
  left join lateral (select a.pid, a.wait_event, a.client_addr
                       from pg_locks l
                       join pg_stat_activity a on a.pid = l.pid
                      where not t.taken and l.locktype = 'advisory' and l.granted and l.objsubid = 1
                        and l.database = (select oid from pg_database where datname = current_database())
                        and l.classid::bigint = (t.key >> 32) & 4294967295 and l.objid::bigint = t.key & 4294967295
                      limit 1) as h on true
