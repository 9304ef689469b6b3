-- Dead letters in the order of their ids, MQTT 5 properties back in their wire encoding (MQTT 5.0, section 2.2.2).
-- $1: rule, $2: id, $3: after this id, $4: parked, $5: failed before (microseconds since 1970), $6: limit,
-- $7: client_id, '' for letters that name none; null = any, $8: true = only those that the service tries again by itself, false = only the others,
-- $9: only these ids, as an array; null = any, $10: only of these rules, as an array; null = any
select d.id,
       (extract(epoch from d.received_at) * 1000000)::bigint as received_at_us,
       (extract(epoch from d.failed_at) * 1000000)::bigint as failed_at_us,
       d.rule,
       coalesce(decode(d.properties ->> 'topic_bytes', 'base64'), convert_to(d.topic, 'UTF8')) as topic,
       d.payload,
       d.qos,
       d.retained,
       coalesce((d.properties ->> 'duplicate')::boolean, false) as duplicate,
       coalesce(
           decode(d.properties ->> 'wire', 'base64'),
           coalesce('\x01'::bytea || set_byte('\x00', 0, (d.properties ->> 'payload_format')::int), '')
           || coalesce('\x02'::bytea || substr(int8send((d.properties ->> 'message_expiry')::bigint), 5), '')
           || coalesce('\x03'::bytea || substr(int4send(octet_length(d.properties ->> 'content_type')), 3)
                       || convert_to(d.properties ->> 'content_type', 'UTF8'), '')
           || coalesce('\x08'::bytea || substr(int4send(octet_length(d.properties ->> 'response_topic')), 3)
                       || convert_to(d.properties ->> 'response_topic', 'UTF8'), '')
           || coalesce('\x09'::bytea || substr(int4send(octet_length(decode(d.properties ->> 'correlation_data', 'base64'))), 3)
                       || decode(d.properties ->> 'correlation_data', 'base64'), '')
           -- A variable byte integer: seven bits a byte, lowest first, the eighth bit says that more follow.
           || coalesce((select string_agg(
                                   case when bits = 0 then '\x0b'::bytea else '' end
                                   || set_byte('\x00', 0, ((number >> bits) & 127)::int
                                                          | case when number >> (bits + 7) > 0 then 128 else 0 end),
                                   '' order by place, bits)
                          from jsonb_array_elements_text(d.properties -> 'subscriptions') with ordinality as s (text, place),
                               cast(s.text as bigint) as number,
                               generate_series(0, 21, 7) as bits
                         where bits = 0 or number >> bits > 0), '')
           || coalesce((select string_agg('\x26'::bytea || substr(int4send(octet_length(pair ->> 0)), 3) || convert_to(pair ->> 0, 'UTF8')
                                          || substr(int4send(octet_length(pair ->> 1)), 3) || convert_to(pair ->> 1, 'UTF8'),
                                          '' order by place)
                          from jsonb_array_elements(d.properties -> 'user') with ordinality as u (pair, place)), '')
       ) as properties,
       d.reason,
       d.sqlstate,
       d.parked,
       d.client_id,
       d.journal,
       d.sequence,
       coalesce((d.properties ->> 'whole_bytes')::bigint, 0) as whole_bytes,
       coalesce((d.properties ->> 'waits')::boolean, false) as waits
  from mqtt2pg.dead_letter d
 where ($1::text is null or d.rule = $1)
   and ($2::bigint is null or d.id = $2)
   and ($3::bigint is null or d.id > $3)
   and ($4::boolean is null or d.parked = $4)
   and ($5::bigint is null or d.failed_at < timestamptz 'epoch' + $5 * interval '1 microsecond')
   and ($7::text is null or d.client_id = $7 or ($7 = '' and d.client_id is null))
   and ($8::boolean is null or coalesce((d.properties ->> 'waits')::boolean, false) = $8)
   and ($9::text is null or d.id = any($9::text::bigint[]))
   and ($10::text is null or d.rule = any($10::text::text[]))
 order by d.id
 limit $6::bigint
