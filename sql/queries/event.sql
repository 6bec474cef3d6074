-- What happened.

-- name: add
insert into {event} (job, task, level, action, message, data)
values (%(job)s, %(task)s, %(level)s, %(action)s, %(message)s, %(data)s);

-- name: add_once
-- An event of no job, unless the last of its task and level said the same.
insert into {event} (task, level, message, data)
select %(task)s, %(level)s, %(message)s, %(data)s
where %(message)s is distinct from (
    select e.message from {event} e where e.task = %(task)s and e.level = %(level)s and e.job is null
    order by e.event desc limit 1);

-- name: of_task
-- The newest events of a task, newest first.
select at, job, level, action, message, data from {event}
where task = %(task)s order by event desc limit %(most)s;

-- name: log
-- Events of tasks (null: of all), of a job and of a weight, after a time, but for those that were
-- seen, and before one (null: all); the newest first.
select event, at, level, task, job, action, message, data from {event}
where (%(tasks)s::text[] is null or task = any (%(tasks)s))
and (%(job)s::bigint is null or job = %(job)s)
and level = any (%(levels)s)
and (%(after)s::timestamptz is null or at > %(after)s)
and (%(before)s::bigint is null or event < %(before)s)
and event <> all (%(seen)s::bigint[])
order by event desc limit %(most)s;

-- name: of_jobs
-- Events of jobs but for those that were seen, the oldest first.
select event, at, level, task, job, action, message, data from {event}
where job = any (%(jobs)s) and event <> all (%(seen)s::bigint[])
order by event limit %(most)s;

-- name: now
select pg_catalog.clock_timestamp();

-- name: prune
delete from {event} e
where e.at < pg_catalog.now() - %(age)s
and not exists (
    select from {agenda} a where a.job = e.job and a.status in ('waiting', 'running'));
