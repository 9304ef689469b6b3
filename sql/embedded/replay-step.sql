-- Moves a replay by compare-and-set, and removes the dead letters of messages that it makes again: these become rows or get a new letter. Fails by
-- itself (division by zero) when the replay is not where we think. A journal that lost its end gives numbers again, so a letter of the same number
-- may be of another message: the time tells.
-- $1: client_id, $2: journal, $3: rule, $4: from, $5: to, $6: is that its end?, $7: numbers of the messages with such letters, as an array,
-- $8: when each was received, microseconds since 1970, as an array
with moved as (
    update mqtt2pg.replay
       set position = $5::bigint, moved_at = clock_timestamp(), finished_at = case when $6::boolean then clock_timestamp() end
     where client_id = $1 and journal = $2::uuid and rule = $3 and position = $4::bigint and finished_at is null
    returning position
), gone as (
    delete from mqtt2pg.dead_letter d
     using unnest($7::bigint[], $8::bigint[]) as m (sequence, received_us)
     where cardinality($7::bigint[]) > 0 and d.client_id = $1 and d.journal = $2::uuid and d.rule = $3 and d.sequence = m.sequence
       and d.received_at = timestamptz 'epoch' + m.received_us * interval '1 microsecond'
       and not d.parked and not coalesce((d.properties ->> 'waits')::boolean, false)
)
select 1 / (select count(*) from moved)
