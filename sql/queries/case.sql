-- Tests of what a table becomes.

-- name: make_table
create table {table} ({columns});

-- name: insert
-- Rows as JSON: the server reads each value as the column's type.
insert into {table} ({columns})
select {columns} from pg_catalog.jsonb_populate_recordset(null::{table}, %(rows)s);

-- name: differing
-- Rows that are expected and not there, and rows that are there and not expected; as texts, so that
-- each type can be compared.
with expected as (
    select {columns} from pg_catalog.jsonb_populate_recordset(null::{table}, %(rows)s)
), found as (
    select {columns} from {table}
)
select 'missing', pg_catalog.to_jsonb(m.*)
from (select * from expected except all select * from found) m
union all
select 'unexpected', pg_catalog.to_jsonb(u.*)
from (select * from found except all select * from expected) u
limit %(most)s;

-- name: rejected
-- Rejected rows as they were read, and those that are expected, by the keys that are named.
with expected as (
    select value from pg_catalog.jsonb_array_elements(%(rows)s) as given (value)
), found as (
    select (select pg_catalog.jsonb_object_agg(k.key, r.record -> k.key)
            from pg_catalog.unnest(%(keys)s::text[]) as k (key)) as value
    from {table} r
)
select 'missing', m.value from (select value from expected except all select value from found) m
union all
select 'unexpected', u.value from (select value from found except all select value from expected) u
limit %(most)s;

-- name: given
-- The query of a source that gives the rows themselves.
select * from given

-- name: sqlite_fast
pragma synchronous = off;

-- name: sqlite_table
create table {table} ({columns});

-- name: sqlite_row
insert into {table} ({columns}) values ({marks});

-- name: drop_table
drop table if exists {table} cascade;

-- name: count
select pg_catalog.count(*) from {table};

-- name: a_day_later
-- All runs of a test are one transaction, of one time, and versions of a row need several.
update {table} set valid_from = valid_from - interval '1 day', valid_to = valid_to - interval '1 day';

-- name: before_round
savepoint dapu_round;

-- name: undo_round
rollback to savepoint dapu_round;

-- name: create_database
create database {database} template {template};

-- name: databases
-- Those of one run of `dapu test`: their names begin alike.
select datname from pg_catalog.pg_database where pg_catalog.starts_with(datname, {prefix});

-- name: no_sync
alter system set fsync = off;

-- name: no_full_pages
alter system set full_page_writes = off;

-- name: reload
select pg_catalog.pg_reload_conf();

-- name: drop_database
drop database if exists {database} with (force);
