-- How far each task has read its source.

-- name: move
insert into {watermark} (task, source, column_name, kind, value, job)
values (%(task)s, %(source)s, %(column)s, %(kind)s, %(value)s, %(job)s)
on conflict (task, source) do update set
    column_name = excluded.column_name, kind = excluded.kind, value = excluded.value,
    job = excluded.job, moved_at = pg_catalog.now();

-- name: reset
delete from {watermark} where task = %(task)s;

-- name: forget_others
-- Those of what a task no longer reads.
delete from {watermark} where task = %(task)s and source <> all (%(sources)s);

-- name: take_over
-- What a deleted task left, for the one that has its table now.
update {watermark} set task = %(task)s where task = %(old)s;

-- name: is_set
select exists (select from {watermark} where task = %(task)s);
