-- Removes the dead letters that failed before a time; parked ones stay, they are to be stored yet.
-- $1: microseconds since 1970, null = all
delete from mqtt2pg.dead_letter
 where not parked
   and ($1::bigint is null or failed_at < timestamptz 'epoch' + $1 * interval '1 microsecond')
