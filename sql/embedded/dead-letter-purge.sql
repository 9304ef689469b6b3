-- Removes dead letters; parked ones stay, they are to be stored yet. Those that the service tries again by itself (retry_for) stay unless their
-- rule is named: somebody waits for their acknowledgment.
-- $1: failed before (microseconds since 1970), $2: rule, $3: client_id, '' for letters that name none; null = all; $4: also parked ones
delete from mqtt2pg.dead_letter
 where (not parked or $4::boolean)
   and ($2::text is not null or not coalesce((properties ->> 'waits')::boolean, false))
   and ($1::bigint is null or failed_at < timestamptz 'epoch' + $1 * interval '1 microsecond')
   and ($2::text is null or rule = $2)
   and ($3::text is null or client_id = $3 or ($3 = '' and client_id is null))
