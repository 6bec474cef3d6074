-- How far each task has read its source.

-- name: move
insert into {watermark} (task, action, column_name, kind, value, job)
values (%(task)s, %(action)s, %(column)s, %(kind)s, %(value)s, %(job)s)
on conflict (task, action) do update set
    column_name = excluded.column_name, kind = excluded.kind, value = excluded.value,
    job = excluded.job, moved_at = now();

-- name: reset
delete from {watermark} where task = %(task)s;
