-- What the owner of the database server does once for a warehouse. As a superuser, with psql:
--
--   psql -v database=warehouse_finances -v role=dapu_finances -f warehouse.sql
--   psql -c '\password dapu_finances'
--
-- Then pg_hba.conf lets in dapu's role, from the machine that runs it, and the people whom the groups
-- of grants.yaml have as members (`+` is a role with its members):
--
--   hostssl  warehouse_finances  dapu_finances  10.0.0.5/32   scram-sha-256
--   hostssl  warehouse_finances  +analysts      10.0.0.0/16   scram-sha-256
--
-- It may be run again: what is there stays.
\set ON_ERROR_STOP on

-- dapu's own role. CREATEROLE is for the Gatekeeper alone: a warehouse without grants.yaml does
-- without it (`alter role … nocreaterole`). It needs no other attribute.
select format('create role %I login createrole', :'role')
where not exists (select from pg_roles where rolname = :'role') \gexec

select format('create database %I', :'database')
where not exists (select from pg_database where datname = :'database') \gexec

\connect :"database"

-- CREATE is for schemas: the registry's, those of tasks and of ver/, and the scratch schema in which
-- a table is built before it is swapped in. TEMPORARY is for the tables that rows pass through.
grant connect, create, temporary on database :"database" to :"role";

-- On PostgreSQL 14 everybody may make tables in `public`.
revoke create on schema public from public;

-- With layers of a Web Feature Service, geometries are PostGIS's where it is there:
-- create extension if not exists postgis;
