-- Parts of sources that were read.

-- name: put
insert into {seen} (task, action, item, state, job) values %s
on conflict (task, action, item) do update set
    state = excluded.state, job = excluded.job, seen_at = now();

-- name: reset
delete from {seen} where task = %(task)s;
