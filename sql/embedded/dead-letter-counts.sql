-- Dead letters of this bridge that wait: rejected ones and those parked for a rule that is not there (rule null), and parked ones of some rules;
-- counted up to 100,000 each, so that the answer is quick. $1: client_id, $2: names of rules that are parked, as an array, $3: of all rules
select null::text as rule,
       (select count(*) from (select from mqtt2pg.dead_letter
                               where (not parked or rule <> all($3::text[])) and (client_id = $1 or client_id is null) limit 100000) as found) as letters
union all
select name,
       (select count(*) from (select from mqtt2pg.dead_letter
                               where parked and rule = name and (client_id = $1 or client_id is null) limit 100000) as found)
  from unnest($2::text[]) as name
