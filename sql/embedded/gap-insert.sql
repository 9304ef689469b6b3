-- One gap. $1: noticed_at, $2: client_id, $3: cause, $4: from_time, $5: to_time (microseconds since 1970), $6: messages
insert into mqtt2pg.gap (noticed_at, client_id, cause, from_time, to_time, messages)
values (timestamptz 'epoch' + $1::bigint * interval '1 microsecond', $2, $3,
        timestamptz 'epoch' + $4::bigint * interval '1 microsecond',
        timestamptz 'epoch' + $5::bigint * interval '1 microsecond',
        $6::bigint)
