-- `dapu verify`: a source's rows beside those of the table.

-- name: snapshot
-- When each side's state was taken.
select pg_catalog.clock_timestamp();

-- name: encoding
select pg_catalog.current_setting('server_encoding');

-- name: table
-- The rows of the table that the source should have now.
select {columns} from {table} where {condition};

-- name: estimated_rows
-- With all partitions; as of the last look of ANALYZE.
select coalesce(pg_catalog.sum(greatest(c.reltuples, 0)), 0)
from (select %(oid)s::oid as oid
    union select p.relid from pg_catalog.pg_partition_tree(%(oid)s::oid) as p) as part
join pg_catalog.pg_class as c on c.oid = part.oid and c.relkind = 'r';

-- name: sampled_lows
-- Pages at random, the same each time: to sort all keys would take longer than to hash all rows.
select k from (
    select k, pg_catalog.row_number() over (order by k) as n from (
        select {key} as k from {table} tablesample system ({percent}) repeatable (1)
        where {column} is not null) dapu_keys) dapu_numbered
where pg_catalog.mod(n, {step}) = 0 order by k;

-- name: count
select pg_catalog.count(*) from {table} where {condition};

-- name: keep_source
-- Without rows, and of the table's own types.
create temporary table dapu_source on commit drop as
select {columns} from {table} where false;

-- name: keep_table
create temporary table dapu_table on commit drop as
select {columns} from {table} where {condition} and {range};

-- name: drop_kept
drop table if exists pg_temp.dapu_source, pg_temp.dapu_table, pg_temp.dapu_source_new,
    pg_temp.dapu_table_new;

-- name: keep_newest
-- Of a key that the source has several times the newest row is loaded.
delete from pg_temp.dapu_source as older using (
    select ctid as place, pg_catalog.row_number() over (
        partition by {key} order by {newest} desc nulls last) as n
    from pg_temp.dapu_source) as numbered
where older.ctid = numbered.place and numbered.n > 1;

-- name: keep_new
-- The rows that the next run reads, and what the table has under their keys.
create temporary table dapu_source_new on commit drop as
select * from pg_temp.dapu_source where {is_new};

-- name: keep_old_of_new
create temporary table dapu_table_new on commit drop as
select t.* from pg_temp.dapu_table as t
where exists (select from pg_temp.dapu_source_new as s where {same_key});

-- name: leave_out_new
delete from pg_temp.dapu_{side} as t
where exists (select from pg_temp.dapu_source_new as s where {same_key});

-- name: differing_columns
-- In how many rows of both each column differs.
select {counts} from pg_temp.dapu_source as s join pg_temp.dapu_table as t on {same_key};

-- name: is_other
pg_catalog.count(*) filter (where s.{column}::text is distinct from t.{column}::text);

-- name: same
t.{column} = s.{column};

-- name: is_new
{column} >= {low} or {column} is null;

-- name: is_new_text
-- A watermark of text is in the order of its bytes.
{column} collate "C" >= {low} or {column} is null;

-- name: add
insert into {verification} (task, hash, verdict, message, began_at, by, source, run_at, table_at, source_at,
    read_to, table_rows, source_rows, blocks, blocks_differing, rows_read, bytes_moved, missing,
    extra, differing, columns, pending, not_compared)
values (%(task)s, %(hash)s, %(verdict)s, %(message)s, %(began_at)s, %(by)s, %(source)s,
    %(run_at)s, %(table_at)s, %(source_at)s, %(read_to)s, %(table_rows)s, %(source_rows)s, %(blocks)s,
    %(blocks_differing)s, %(rows_read)s, %(bytes_moved)s, %(missing)s, %(extra)s, %(differing)s,
    %(columns)s, %(pending)s, %(not_compared)s)
returning verification;

-- name: registered
-- As the trial's one state has it.
select hash, last_done_at from {registry} where task = %(task)s;
