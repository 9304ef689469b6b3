-- Takes dead letters as arrays of their fields, in the order in which dead_letter_append() writes them.
insert into mqtt2pg.dead_letter (received_at, failed_at, rule, topic, payload, qos, retained, properties, reason, sqlstate, parked,
                                 client_id, journal, sequence)
select *
  from unnest($1::timestamptz[], $2::timestamptz[], $3::text[], $4::text[], $5::bytea[], $6::smallint[], $7::boolean[], $8::jsonb[],
              $9::text[], $10::text[], $11::boolean[], $12::text[], $13::uuid[], $14::bigint[])
