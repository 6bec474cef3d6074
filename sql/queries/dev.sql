-- A dev warehouse: schemas with a suffix, in which what changed is built and all else is a view.

-- name: relations
-- What can be read in some schemas; a partition is read through its table.
select n.nspname::text, c.relname::text
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = any (%(schemas)s) and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
order by 1, 2;

-- name: schemas
-- The schemas of a dev warehouse, by their mark.
select nspname::text from pg_catalog.pg_namespace
where pg_catalog.obj_description(oid, 'pg_namespace') = %(mark)s order by 1;

-- name: taken
-- Schemas of these names that are something else.
select nspname::text from pg_catalog.pg_namespace
where nspname = any (%(schemas)s)
and pg_catalog.obj_description(oid, 'pg_namespace') is distinct from %(mark)s order by 1;

-- name: create_schema
create schema {schema};

-- name: mark_schema
comment on schema {schema} is {mark};

-- name: create_view
-- A union cannot be written through, as a plain view could; it costs the planner nothing.
create view {view} as select * from {table} union all select * from {table} where false;

-- name: drop_schema
drop schema {schema} cascade;
