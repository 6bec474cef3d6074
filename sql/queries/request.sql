-- What `dapu server` is asked for.

-- name: take_turn
-- Of two servers that get the same request, the second sees what the first has queued.
select pg_catalog.pg_advisory_xact_lock(%(key)s);

-- name: unfinished
-- The job of a task that waits or runs, with the caller's name of the read and whether it runs.
select a.job, r.task_id, a.status
from {agenda} a left join {request} r on r.job = a.job
where a.task = %(task)s and a.status in ('waiting', 'running')
order by a.status limit 1;

-- name: put_route
-- The route of all requests: neither Registrar nor Manager have to do with it.
insert into {route} (route, description, connection, disabled)
values (%(route)s, 'requests of dapu server', 'main', array['registrar', 'manager'])
on conflict (route) do nothing;

-- name: add
insert into {request} (
    command, package, version, key, sync_id, task_id, started_by, parameters, secret, task)
values (
    %(command)s, %(package)s, %(version)s, %(key)s, %(sync_id)s, %(task_id)s, %(started_by)s,
    %(parameters)s, %(secret)s, %(task)s)
returning request;

-- name: put_task
-- A task has no pause, for only requests queue it. After a failure it is tried twice more.
insert into {registry} (
    task, route, schema_name, table_name, description, hash, definition, pause, priority,
    retries, retry_wait, timeout)
values (
    %(task)s, %(route)s, %(command)s, %(name)s, %(description)s, %(hash)s, %(definition)s,
    interval '0', 2, %(retries)s, interval '1 minute', %(timeout)s)
on conflict (task) do update set
    description = excluded.description, hash = excluded.hash, definition = excluded.definition,
    timeout = excluded.timeout, state = 'ready', fault = null;

-- name: queue
-- A request that comes while another of its task waits takes its place.
insert into {agenda} (task, route, priority, cause, full_load, not_before)
values (%(task)s, %(route)s, 2, 'run', %(full)s, pg_catalog.now() + %(delay)s)
on conflict (task) where status = 'waiting' and backfill is null do update set
    tries = 0, not_before = excluded.not_before
returning job;

-- name: set_job
update {request} set job = %(job)s where request = %(request)s;

-- name: find
select command, package, version, key, sync_id, task_id, started_by, parameters::text, secret, task
from {request} where request = %(request)s;

-- name: answer
-- In the transaction that ends the job. Its configuration is needed no more.
update {request} set result = %(result)s, error = %(error)s, then_error = %(then_error)s,
    answered_at = pg_catalog.clock_timestamp(), secret = null
where request = %(request)s;

-- name: find_read
-- The jobs of a read that wait or run.
select r.job from {request} r join {agenda} a on a.job = r.job
where r.command = 'read' and r.sync_id = %(sync_id)s and r.task_id = %(task_id)s
and a.status in ('waiting', 'running');

-- name: due
-- How many jobs of requests could start now.
select pg_catalog.count(*) from {agenda}
where route = %(route)s and status = 'waiting' and not_before <= pg_catalog.now();

-- name: counts
-- For monitoring: requests by command, and how they stand.
select r.command, coalesce(a.status, 'done'), pg_catalog.count(*)
from {request} r left join {agenda} a on a.job = r.job
group by 1, 2 order by 1, 2;

-- name: renewed
select secret from {renewed_config} where given = %(given)s;

-- name: renew
insert into {renewed_config} (given, secret) values (%(given)s, %(secret)s)
on conflict (given) do update set secret = excluded.secret, renewed_at = pg_catalog.now();

-- name: prune
-- Requests past their age whose jobs are over, but for the last of each task: it is the result.
delete from {request} r
where r.requested_at < pg_catalog.now() - %(age)s
and exists (select from {request} x where x.task = r.task and x.request > r.request)
and not exists (
    select from {agenda} a where a.job = r.job and a.status in ('waiting', 'running'));

-- name: is_known
-- Whether a read of this name was asked for before.
select exists (
    select from {request} where command = 'read' and sync_id = %(sync_id)s and task_id = %(task_id)s);
