-- Which database cluster this is, and its timeline: a number that a promotion makes greater.
select (select system_identifier::text from pg_control_system()) as system,
       ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint as timeline
