-- Dead letters that this bridge's rules do not take. $1: the names of its rules, as an array, $2: its client_id
select count(*) filter (where client_id = $2) as letters,
       string_agg(distinct quote_ident(rule), ', ') filter (where client_id = $2) as rules,
       count(*) filter (where client_id is distinct from $2) as others,
       string_agg(distinct coalesce(quote_ident(client_id), '""'), ', ') filter (where client_id is distinct from $2) as clients
  from mqtt2pg.dead_letter
 where client_id is distinct from $2 or rule <> all($1::text[])
