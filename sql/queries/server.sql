-- Statements about the server, outside the registry.

-- name: database_exists
select 1 from pg_database where datname = %(database)s;

-- name: create_database
create database {database} template template0 encoding 'UTF8' lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8';

-- name: schema_exists
select exists (select from pg_namespace where nspname = %(name)s);

-- name: create_schema
create schema if not exists {schema};

-- name: relation_exists
select pg_catalog.to_regclass(%(name)s) is not null;

-- name: lock
-- Waits for a lock that the session holds until it ends or unlocks.
select pg_catalog.pg_advisory_lock(%(key)s);

-- name: lock_for_transaction
-- The same, until the transaction ends.
select pg_catalog.pg_advisory_xact_lock(%(key)s);

-- name: try_lock
select pg_catalog.pg_try_advisory_lock(%(key)s);

-- name: unlock
select pg_catalog.pg_advisory_unlock(%(key)s);

-- name: reset_session
-- What one job set or left behind in its session does not exist for the next.
reset all;
reset role;
discard temporary;

-- name: copied_rows
-- How many rows the COPY of a server process has taken so far.
select tuples_processed from pg_stat_progress_copy where pid = %(backend)s;
