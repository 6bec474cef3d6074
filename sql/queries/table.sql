-- Target tables: what they are, and how a new one replaces an old one.

-- name: describe
-- Oid and kind of a table or view (pg_class.relkind), and the columns of its primary key.
select c.oid::bigint, c.relkind::text, array(
    select a.attname::text
    from pg_index i, pg_catalog.unnest(i.indkey) with ordinality as k (number, place), pg_attribute a
    where i.indrelid = c.oid and i.indisprimary
        and a.attrelid = c.oid and a.attnum = k.number and k.place <= i.indnkeyatts
    order by k.place)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = %(schema)s and c.relname = %(table)s;

-- name: columns
-- Name, type (of a domain the one below it), whether it must be given, whether it is computed,
-- whether it has a default, and the domain.
with recursive base (number, type, modifier, domain) as (
    select attnum, atttypid, atttypmod, false
    from pg_attribute
    where attrelid = %(oid)s::oid and attnum > 0 and not attisdropped
    union all
    select base.number, t.typbasetype, t.typtypmod, true
    from base join pg_type t on t.oid = base.type
    where t.typtype = 'd'
)
select a.attname, pg_catalog.format_type(base.type, base.modifier),
    a.attnotnull and not a.atthasdef and a.attidentity = '',
    a.attgenerated <> '' or a.attidentity = 'a', a.atthasdef or a.attidentity <> '',
    case when base.domain then pg_catalog.format_type(a.atttypid, a.atttypmod) end
from pg_attribute a join base on base.number = a.attnum
join pg_type t on t.oid = base.type and t.typtype <> 'd'
where a.attrelid = %(oid)s::oid
order by a.attnum;

-- name: create
create table {table} ({columns});

-- name: create_key
alter table {table} add primary key ({columns});

-- name: is_empty
select not exists (select from {table});

-- name: seems_empty
-- Columns without a value in the table's statistics. A table that nobody has analyzed was made by
-- hand, with the types that are meant.
select a.attname
from pg_class c join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid
left join pg_stats s on s.schemaname = n.nspname and s.tablename = c.relname and s.attname = a.attname
where c.oid = %(oid)s::oid and a.attnum > 0 and not a.attisdropped
and coalesce(s.null_frac = 1, c.reltuples = 0);

-- name: has_values
select exists (select from {table} where {column} is not null);

-- name: delete_all
delete from {table};

-- name: create_temporary
create temporary table {aside} on commit drop as select {columns} from {table} where false;

-- name: drop
drop table {table};

-- name: insert_columns
insert into {table} ({columns}) select {columns} from {source};

-- name: insert_query
insert into {table} ({columns}) select {columns} from ({query}) as q;

-- name: delete_same_values
-- The rows of the values of one column that came again.
delete from {table} where {column} in (select {column} from {source});

-- name: delete_nulls
-- The rows without a value, when such rows came again.
delete from {table} where {column} is null
and exists (select from {source} where {column} is null);

-- name: delete_all_nulls
delete from {table} where {column} is null;

-- name: rows_differ
-- Whether two tables of the same columns and as many rows differ in any row.
select (select pg_catalog.count(*) from {table}) <> (select pg_catalog.count(*) from {source}) or exists (
    select n::text from (select {columns} from {source}) as n
    except all
    select o::text from (select {columns} from {table}) as o);

-- name: create_view
create view {view} as {query};

-- name: replace_view
create or replace view {view} as {query};

-- name: drop_view
drop view {view};

-- name: rename_view
alter view {view} rename to {name};

-- name: view_definition
select pg_catalog.pg_get_viewdef(%(oid)s::oid);

-- name: analyze
analyze {table};

-- name: smaller_sample
-- For a table whose autovacuum comes within a minute, with the full sample. Its time grows with the
-- columns, which is why many columns make the sample smaller still. Gives the setting as it was; no
-- row when there is no autovacuum.
select pg_catalog.current_setting('default_statistics_target'),
    pg_catalog.set_config('default_statistics_target', least(
        pg_catalog.current_setting('default_statistics_target')::integer, 20, greatest(5, 640 / (
            select nullif(pg_catalog.count(*), 0) from pg_attribute
            where attrelid = %(table)s::regclass and attnum > 0 and not attisdropped)))::text, true)
where pg_catalog.current_setting('autovacuum')::boolean and pg_catalog.current_setting('track_counts')::boolean
and not exists (
    select from pg_class c cross join pg_catalog.pg_options_to_table(c.reloptions) as o
    where c.oid = %(table)s::regclass and o.option_name = 'autovacuum_enabled'
    and not o.option_value::boolean);

-- name: usual_sample
select pg_catalog.set_config('default_statistics_target', %(target)s, true);

-- name: add_column
alter table {table} add column {column} {type};

-- name: drop_column
alter table {table} drop column {column};

-- name: retype
alter table {table} alter column {column} type {type};

-- name: retype_empty
alter table {table} alter column {column} type {type} using null::{type};

-- name: retype_boolean
alter table {table} alter column {column} type {type} using {column}::integer::{type};

-- name: retype_float
alter table {table} alter column {column} type {type} using {column}::text::{type};

-- name: before_load
savepoint dapu_load;

-- name: undo_load
rollback to savepoint dapu_load;

-- name: all_float_digits
-- The text of a float reads back as the same number.
select pg_catalog.set_config('extra_float_digits', '1', true);

-- name: oid
select %(name)s::regclass::oid::bigint;
