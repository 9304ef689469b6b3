-- Moves the progress by compare-and-set like progress-move.sql, and fails by itself (division by zero) when the row is not where we think.
-- $1: client_id, $2: journal, $3: from, $4: to
with moved as (
    update mqtt2pg.progress
       set position = $4::bigint, stored_at = greatest(clock_timestamp(), stored_at + interval '1 millisecond')
     where client_id = $1 and journal = $2::uuid and position = $3::bigint
    returning position
)
select 1 / (select count(*) from moved)
