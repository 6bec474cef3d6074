-- Parts of sources that were read.

-- name: put
insert into {seen} (task, source, item, state, job) values %s
on conflict (task, source, item) do update set
    state = excluded.state, job = excluded.job, seen_at = pg_catalog.now();

-- name: reset
delete from {seen} where task = %(task)s;

-- name: forget_others
-- Those of what a task no longer reads.
delete from {seen} where task = %(task)s and source <> all (%(sources)s);

-- name: take_over
-- What a deleted task left, for the one that has its table now.
update {seen} set task = %(task)s where task = %(old)s;
