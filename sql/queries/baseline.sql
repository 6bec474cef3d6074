-- Whether the steps of a table make it as it is: they are tried beside it, and undone.

-- name: no_long_wait
-- A table in use is not waited for, for then all its readers would wait as well.
select pg_catalog.set_config('lock_timeout', %(wait)s, true);

-- name: schema
create schema {schema};

-- name: move
-- The table makes room for the one that its steps make; its indexes and sequences go with it.
alter table {table} set schema {schema};

-- name: no_limit
set local lock_timeout to default;

-- name: highest
-- A value of the kind that a column has; null when there is none.
select pg_catalog.max({column}) from {table};
