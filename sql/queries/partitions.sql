-- The partitions of a table, and putting others that were built aside in their place.

-- name: key
-- How a table is partitioned: r (range), l (list) or h (hash); by which column, null where that is
-- an expression or several columns; and the column's type.
select p.partstrat::text, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)
from pg_partitioned_table p
left join pg_attribute a on p.partnatts = 1 and a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
where p.partrelid = %(oid)s::oid;

-- name: of_table
-- Its partitions: oid, schema, name, kind (pg_class.relkind), bound, and the condition that its rows
-- meet (null: any row does).
select c.oid::bigint, n.nspname, c.relname, c.relkind::text,
    pg_catalog.pg_get_expr(c.relpartbound, c.oid), pg_catalog.pg_get_partition_constraintdef(c.oid)
from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_namespace n on n.oid = c.relnamespace
where i.inhparent = %(oid)s::oid and not i.inhdetachpending
order by n.nspname, c.relname;

-- name: value
-- A value of a bound. The literal and the type are text that PostgreSQL itself gave.
select {literal}::{type};

-- name: refers
-- A foreign key that refers to the table; its partitions cannot be taken away.
select conname, conrelid::regclass::text from pg_constraint
where contype = 'f' and confrelid = %(oid)s::oid and conparentid = 0 limit 1;

-- name: create_like
-- Identity belongs to the whole table; a partition has it when it is attached.
create table {aside} (like {table} including all excluding comments excluding indexes
    excluding statistics excluding identity);

-- name: add_condition
-- Its rows are checked as they come, so that nothing is read again when the partition is attached.
alter table {table} add constraint dapu_partition check ({condition});

-- name: drop_condition
alter table {table} drop constraint dapu_partition;

-- name: detach
alter table {table} detach partition {partition};

-- name: attach
alter table {table} attach partition {partition} {bound};

-- name: any_value
-- A value of a column, as text; no row when the table is empty.
select {column}::text from {table} limit 1;

-- name: drop_schema
drop schema if exists {schema} cascade;
