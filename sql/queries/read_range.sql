-- Which ranges of its sources each task has read.

-- name: of_source
select read_range, column_name, kind, low, high from {read_range}
where task = %(task)s and source = %(source)s;

-- name: forget
delete from {read_range} where read_range = any (%(numbers)s);

-- name: add
insert into {read_range} (task, source, column_name, kind, low, high, job)
values (%(task)s, %(source)s, %(column)s, %(kind)s, %(low)s, %(high)s, %(job)s);

-- name: of_task
select source, column_name, kind, low, high, job, read_at from {read_range} where task = %(task)s;

-- name: reset
delete from {read_range} where task = %(task)s;

-- name: forget_others
-- Those of what a task no longer reads.
delete from {read_range} where task = %(task)s and source <> all (%(sources)s);

-- name: take_over
-- What a deleted task left, for the one that has its table now.
update {read_range} set task = %(task)s where task = %(old)s;
