-- Only one session at a time takes letters of a rule: else a second one would pass over those that the first one holds, and store newer messages
-- before them. $1: schema, $2: client_id, $3: rule, $4: wait for the other session (up to lock_timeout)?
with letters as (
    select hashtextextended(concat_ws(chr(31), 'mqtt2pg letters', $1::text, $2::text, $3::text), 0) as key
)
select case when $4::boolean then pg_advisory_xact_lock(key) is not null else pg_try_advisory_xact_lock(key) end as taken
  from letters
