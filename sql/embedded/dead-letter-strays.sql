-- Dead letters of rules that a configuration does not have. $1: the names of its rules, as an array
select count(*) as letters, string_agg(distinct quote_ident(rule), ', ') as rules
  from mqtt2pg.dead_letter
 where rule <> all($1::text[])
