-- reader.sql: a role for dashboards that may look and nothing else.
--
--   psql -d telemetry -v role=grafana -v password=secret -f sql/reader.sql
--
-- Run it as a superuser, or as the owner of the database when the role is there already, after the tables and views
-- were made; again after new ones. It reads what begins with telemetry and the bridge's own tables, but no payloads
-- of dead letters; for other tables: grant select on … to grafana.

\set ON_ERROR_STOP on
\if :{?role} \else \set role grafana \endif
\if :{?schema} \else \set schema mqtt2pg \endif

begin;

select format('create role %I login', :'role')
 where not exists (select from pg_roles where rolname = :'role') \gexec
\if :{?password}
alter role :"role" password :'password';
\endif
-- A query that nobody waits for any longer ends by itself. Only an administrator of roles may say so.
select format('alter role %I set statement_timeout = %L', :'role', '30s')
  from pg_roles where rolname = current_user and (rolsuper or rolcreaterole) \gexec

select format('grant connect on database %I to %I', current_database(), :'role') \gexec
grant usage on schema public to :"role";
select format('grant select on %s to %I', c.oid::regclass, :'role')
  from pg_class c
 where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
   and (c.relname like 'telemetry%' or c.relname in ('dead_letter_reasons', 'bridge_progress')) \gexec
grant usage on schema :"schema" to :"role";
grant select on :"schema".progress, :"schema".gap, :"schema".bridge to :"role";
grant select (id, received_at, failed_at, rule, topic, qos, retained, reason, sqlstate, parked, client_id) on :"schema".dead_letter to :"role";

commit;
