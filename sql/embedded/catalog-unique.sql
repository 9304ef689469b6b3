-- Is there a unique index that ON CONFLICT (columns) would take: whole, immediate, valid, over exactly these columns?
-- $1: oid of the table, $2: names of the columns, null = any index that a row can collide with
select exists (
    select
      from pg_catalog.pg_index i
     where i.indrelid = $1::oid
       and i.indisvalid
       and i.indimmediate
       and (case
                when $2::text[] is null then i.indisunique or i.indisexclusion
                else i.indisunique
                     and i.indpred is null
                     and i.indexprs is null
                     and (select array_agg(a.attname::text order by a.attname::text)
                            from unnest(i.indkey) with ordinality as k (attnum, place)
                            join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
                           where k.place <= i.indnkeyatts)
                         = (select array_agg(distinct name order by name) from unnest($2::text[]) as name)
            end)
)
