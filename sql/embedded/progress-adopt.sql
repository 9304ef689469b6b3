-- A client_id was renamed: the position of its journal, the dead letters that came from it, and its replays go over. No row when a process stores
-- under the former client_id. $1: client_id, $2: journal, $3: the former client_id, $4: schema
with free as materialized (
    select is_free
      from pg_try_advisory_xact_lock(hashtextextended('mqtt2pg' || chr(31) || $4::text || chr(31) || $3::text, 0)) as is_free
),
moved as (
    update mqtt2pg.progress
       set client_id = $1
     where client_id = $3 and journal = $2::uuid and (select is_free from free)
    returning client_id
),
memories as (
    update mqtt2pg.memory
       set client_id = $1
     where client_id = $3 and journal = $2::uuid and exists (table moved)
),
replays as (
    update mqtt2pg.replay
       set client_id = $1
     where client_id = $3 and journal = $2::uuid and exists (table moved)
),
letters as (
    update mqtt2pg.dead_letter
       set client_id = $1
     where client_id = $3 and journal = $2::uuid and exists (select from moved)
)
select client_id from moved
