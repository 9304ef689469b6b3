-- Moves a replay by compare-and-set, and removes the dead letters of messages that it makes again: these become rows or get a new letter. Fails by
-- itself (division by zero) when the replay is not where we think.
-- $1: client_id, $2: journal, $3: rule, $4: from, $5: to, $6: is that its end?, $7: numbers of the messages with such letters, as an array
with moved as (
    update mqtt2pg.replay
       set position = $5::bigint, moved_at = clock_timestamp(), finished_at = case when $6::boolean then clock_timestamp() end
     where client_id = $1 and journal = $2::uuid and rule = $3 and position = $4::bigint and finished_at is null
    returning position
), gone as (
    delete from mqtt2pg.dead_letter
     where cardinality($7::bigint[]) > 0 and client_id = $1 and journal = $2::uuid and rule = $3 and sequence = any($7::bigint[])
       and not parked and not coalesce((properties ->> 'waits')::boolean, false)
)
select 1 / (select count(*) from moved)
