-- What happened.

-- name: add
insert into {event} (job, task, level, action, message, data)
values (%(job)s, %(task)s, %(level)s, %(action)s, %(message)s, %(data)s);

-- name: of_task
-- The newest events of a task, newest first.
select at, job, level, action, message, data from {event}
where task = %(task)s order by event desc limit %(most)s;

-- name: prune
delete from {event} e
where e.at < pg_catalog.now() - %(age)s
and not exists (
    select from {agenda} a where a.job = e.job and a.status in ('waiting', 'running'));
