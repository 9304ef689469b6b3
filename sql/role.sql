-- role.sql: a role for the bridge that may do what it has to do and nothing else.
--
--   psql -d telemetry -f sql/role.sql
--   psql -d telemetry -v role=bridge -v table=public.telemetry -v password=secret -f sql/role.sql
--
-- Run it as a superuser, or as the owner of the database when the role is there already, after mqtt2pg.sql and after the rules' tables were made; again with -v table=… for
-- each further table. Without a password the role can log in by peer, certificate or another way of pg_hba.conf.

\set ON_ERROR_STOP on
\if :{?role} \else \set role mqtt2pg \endif
\if :{?schema} \else \set schema mqtt2pg \endif
\if :{?table} \else \set table public.telemetry \endif

begin;

select format('create role %I login', :'role')
 where not exists (select from pg_roles where rolname = :'role') \gexec
\if :{?password}
alter role :"role" password :'password';
\endif

select format('grant connect, temporary on database %I to %I', current_database(), :'role') \gexec

-- The bridge's own tables: progress moves, dead letters come and go, gaps are added and acknowledged,
-- each bridge writes how it is, and a replay how far it came.
grant usage on schema :"schema" to :"role";
grant select, insert, update on :"schema".progress to :"role";
grant select, insert, update, delete on :"schema".dead_letter to :"role";
grant select, insert, update, delete on :"schema".memory to :"role";
grant select, insert on :"schema".gap to :"role";
grant select, insert, update on :"schema".bridge to :"role";
grant select, insert, update on :"schema".replay to :"role";
grant update (acknowledged_at) on :"schema".gap to :"role";

-- The rule's table: rows are added; SELECT and UPDATE are what on_conflict = "update" needs, SELECT also "nothing" with a key.
select format('grant usage on schema %I to %I', n.nspname, :'role')
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.oid = to_regclass(:'table') \gexec
select format('grant select, insert, update on %s to %I', to_regclass(:'table'), :'role')
 where to_regclass(:'table') is not null \gexec

-- The sequences of its serial columns (identity columns need no grant).
select distinct format('grant usage on sequence %s to %I', d.refobjid::regclass, :'role')
  from pg_attrdef a
  join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = a.oid and d.refclassid = 'pg_class'::regclass
  join pg_class s on s.oid = d.refobjid and s.relkind = 'S'
 where a.adrelid = to_regclass(:'table') \gexec

commit;
