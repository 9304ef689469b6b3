-- The session's lock for one identity. $1: schema, $2: client_id
select pg_try_advisory_lock(hashtextextended('mqtt2pg' || chr(31) || $1::text || chr(31) || $2::text, 0))
