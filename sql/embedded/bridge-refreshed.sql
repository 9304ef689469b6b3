-- When a bridge wrote its row last. $1: client_id
select refreshed_at
  from mqtt2pg.bridge
 where client_id = $1
