-- Only one session at a time takes letters of a rule: else a second one would pass over those that the first one holds, and store newer messages
-- before them. Locks are taken in the order of their keys, so that two sessions do not wait for each other.
-- $1: schema, $2: client_id, $3: names of rules, $4: wait for the other session (up to lock_timeout)?
with letters as materialized (
    select hashtextextended(concat_ws(chr(31), 'mqtt2pg letters', $1::text, $2::text, r.name), 0) as key
      from unnest($3::text[]) as r (name)
     order by 1
)
select bool_and(case when $4::boolean then pg_advisory_xact_lock(key) is not null else pg_try_advisory_xact_lock(key) end) as taken
  from letters
