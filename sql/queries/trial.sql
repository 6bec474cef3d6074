-- Trying a task out: every statement here runs in a transaction that is rolled back.

-- name: memory
-- How far a task has read each of its sources, and what it remembers of their parts.
select
    (select pg_catalog.jsonb_object_agg(m.source,
        pg_catalog.jsonb_build_array(m.column_name, m.kind, m.value))
        from {watermark} m where m.task = %(task)s),
    (select pg_catalog.jsonb_object_agg(s.source, s.items) from (
        select x.source, pg_catalog.jsonb_object_agg(x.item, x.state) as items
        from {seen} x where x.task = %(task)s group by x.source) s);

-- name: first_rows
select * from ({query}) as dapu_rows limit {count};

-- name: keep_before
create temporary table dapu_before on commit drop as table {table};

-- name: count
select pg_catalog.count(*) from {table};

-- name: read
select {columns} from {table};

-- name: differing
-- Rows of one side that the other does not have, so often: a key that comes twice is numbered.
create temporary table {name} on commit drop as
select d.*, pg_catalog.jsonb_build_array({key})::text as dapu_key,
    pg_catalog.row_number() over (partition by {key_or_all} order by {all}) as dapu_number
from (select {these} from {here} except all select {those} from {there}) as d;

-- name: changes
-- How many rows were inserted, updated and deleted.
select pg_catalog.count(*) filter (where g.dapu_key is null),
    pg_catalog.count(*) filter (where c.dapu_key is not null and g.dapu_key is not null),
    pg_catalog.count(*) filter (where c.dapu_key is null)
from pg_temp.dapu_came as c full join pg_temp.dapu_gone as g
on c.dapu_key = g.dapu_key and c.dapu_number = g.dapu_number;

-- name: inserted
select pg_catalog.to_jsonb(c.*) - 'dapu_key' - 'dapu_number' from pg_temp.dapu_came as c
where not exists (select from pg_temp.dapu_gone as g
    where c.dapu_key = g.dapu_key and c.dapu_number = g.dapu_number)
order by {all} limit {most};

-- name: deleted
select pg_catalog.to_jsonb(g.*) - 'dapu_key' - 'dapu_number' from pg_temp.dapu_gone as g
where not exists (select from pg_temp.dapu_came as c
    where c.dapu_key = g.dapu_key and c.dapu_number = g.dapu_number)
order by {all} limit {most};

-- name: updated
select pg_catalog.to_jsonb(g.*) - 'dapu_key' - 'dapu_number',
    pg_catalog.to_jsonb(c.*) - 'dapu_key' - 'dapu_number'
from pg_temp.dapu_came as c join pg_temp.dapu_gone as g
on c.dapu_key = g.dapu_key and c.dapu_number = g.dapu_number
order by {all} limit {most};
