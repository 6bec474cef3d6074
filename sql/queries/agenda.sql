-- The queue.

-- name: take_turn
-- Workers take turns to claim, so that each sees what the one before it took, and to end jobs that
-- may wake others, so that the last of several masters sees that the others have run. The lock
-- ends with the transaction.
select pg_catalog.pg_advisory_xact_lock(%(key)s);

-- name: claim
-- Takes the most urgent job that may run now and gives it to a worker, with its task as it was
-- registered, and what each action of the task remembers of its source.
--
-- It must go one way whatever the server thinks of the agenda: in one that was idle when it was last
-- analyzed nothing seems to wait, and then looking at all that waits seems as good as anything. So
-- nothing here can be joined in another order than it is written: what is asked of each job stands
-- in a subquery with `limit` or `offset`, and the job that is taken is found by its number alone.
with chosen as materialized (
    select w.job, t.*, exists (select from {dependency} d where d.master = w.task) as is_master
    from {agenda} w, lateral (
        select coalesce(o.timeout, t.timeout) as timeout, t.hash, t.definition, r.connection
        from {registry} t
        join {route} r on r.route = t.route
        left join {override} o on o.task = t.task
        where t.task = w.task and t.state = 'ready' and t.retries >= w.tries offset 0) t
    where w.status = 'waiting' and w.not_before <= pg_catalog.now()
    and w.route <> all (array(  -- asked once: thousands may wait for a route that is full
        select c.route from {route} c
        where 'worker' = any (c.disabled) or c.paused_by is not null
        or c.concurrency is not null and c.concurrency <= (
            select pg_catalog.count(*) from {agenda} x
            where x.route = c.route and x.status = 'running')))
    and (pg_catalog.cardinality(w.after) = 0 or (  -- asked of the few that follow others
        select true from {agenda} x where x.job = any (w.after) and x.status <> 'done' limit 1) is null)
    and not exists (select from {control} where name = 'paused')
    and (select true from {agenda} x where x.task = w.task and x.status = 'running' limit 1) is null
    and (
        select true from {dependency} d, lateral (
            select from {agenda} x
            where x.task = d.master and x.status = 'waiting' and x.backfill is null offset 0) waits
        where d.task = w.task limit 1) is null
    and (
        select true from {dependency} d, lateral (
            select from {agenda} x where x.task = d.master and x.status = 'running' offset 0) runs
        where d.task = w.task limit 1) is null
    order by w.priority, w.job
    limit 1
)
update {agenda} a set
    status = 'running', worker = %(worker)s, backend = %(backend)s, hash = chosen.hash,
    tries = a.tries + 1, started_at = pg_catalog.clock_timestamp()
from chosen
where a.job = (select job from chosen) and a.status || '' = 'waiting'
returning a.job, a.task, a.tries, a.priority, a.full_load, a.cause, chosen.timeout, a.backfill,
    chosen.is_master, a.rebuild, chosen.hash, chosen.definition, chosen.connection,
    (select pg_catalog.jsonb_object_agg(m.source,
        pg_catalog.jsonb_build_array(m.column_name, m.kind, m.value))
        from {watermark} m where m.task = a.task),
    (select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(s.source, s.item, s.state))
        from {seen} s where s.task = a.task);

-- name: claim_job
-- The same for one job that an operator wants to run now: neither a pause, nor its masters, nor
-- its turn holds it back, but for the jobs that it was queued to follow.
update {agenda} a set
    status = 'running', worker = %(worker)s, backend = %(backend)s, hash = t.hash,
    tries = a.tries + 1, started_at = pg_catalog.clock_timestamp()
from {registry} t
join {route} r on r.route = t.route and not 'worker' = any (r.disabled)
left join {override} o on o.task = t.task
where a.job = %(job)s and a.status = 'waiting' and t.task = a.task and t.state = 'ready'
and not exists (select from {agenda} x where x.job = any (a.after) and x.status <> 'done')
and not exists (select from {agenda} x where x.task = a.task and x.status = 'running')
and (r.concurrency is null or r.concurrency > (
    select pg_catalog.count(*) from {agenda} x where x.route = a.route and x.status = 'running'))
returning a.job, a.task, a.tries, a.priority, a.full_load, a.cause,
    coalesce(o.timeout, t.timeout), a.backfill,
    exists (select from {dependency} d where d.master = t.task), a.rebuild,
    t.hash, t.definition, r.connection,
    (select pg_catalog.jsonb_object_agg(m.source,
        pg_catalog.jsonb_build_array(m.column_name, m.kind, m.value))
        from {watermark} m where m.task = a.task),
    (select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(s.source, s.item, s.state))
        from {seen} s where s.task = a.task);

-- name: hindrance
-- What keeps a job from being started by an operator: its status, the state of its task with the
-- fault, whether its route is disabled, how many jobs the route allows, and which run on it.
select a.status, t.state, t.fault, 'worker' = any (r.disabled), r.concurrency,
    array(select x.task || ' (job ' || x.job || ')' from {agenda} x
        where x.status = 'running' and x.task = a.task order by x.job),
    array(select x.task || ' (job ' || x.job || ')' from {agenda} x
        where x.status = 'running' and x.route = a.route order by x.job)
from {agenda} a
left join {registry} t on t.task = a.task
left join {route} r on r.route = a.route
where a.job = %(job)s;

-- name: outlook
-- For a worker that found nothing to claim: whether a job is running whose end may let another one
-- begin, and of the waiting one that may be tried next its task, the time, and in how many seconds
-- that is (null: none waits for it). In a pause nothing begins.
select exists (select from {agenda} where status = 'running')
        and not exists (select from {control} where name = 'paused'), next.task, next.not_before,
    extract(epoch from next.not_before - pg_catalog.now())::float8
from (select) as one
left join (
    select a.task, a.not_before
    from {agenda} a
    join {registry} t on t.task = a.task and t.state = 'ready'
    join {route} r on r.route = a.route and not 'worker' = any (r.disabled) and r.paused_by is null
    where a.status = 'waiting' and a.not_before > pg_catalog.now() and a.tries <= t.retries
    and not exists (select from {control} where name = 'paused')
    order by a.not_before
    limit 1
) as next on true;

-- name: hold
-- The job, if it is still the worker's; the lock keeps it so until the end of the transaction.
select job from {agenda}
where job = %(job)s and status = 'running' and worker = %(worker)s for share;

-- name: finish
-- Ends a job that is still the worker's own, notes it at the task, and logs its last event. Runs in
-- the job's transaction. Returns whether other tasks depend on its, or nothing when it was taken
-- away. A backfill is not the task's run, and after one that was skipped the task is due as after a
-- change.
with ended as (
    update {agenda} a set
        status = %(status)s, ended_at = pg_catalog.clock_timestamp(), rows = %(rows)s,
        message = %(message)s, backend = null, after_commit = %(after_commit)s::text
    where a.job = %(job)s and a.status = 'running' and a.worker = %(worker)s
    returning a.job, a.task, a.status, a.started_at, a.ended_at, a.backfill
), noted as (
    update {registry} t set
        last_job = e.job, last_status = e.status, last_started_at = e.started_at,
        last_ended_at = e.ended_at,
        last_done_at = case when e.status = 'done' then e.ended_at else t.last_done_at end,
        changed_at = case when e.status = 'skipped' then e.ended_at else t.changed_at end
    from ended e where t.task = e.task and e.backfill is null
), logged as (
    insert into {event} (job, task, level, action, message, data)
    select e.job, e.task, 'info', %(action)s::integer, %(event)s::text, %(data)s::jsonb
    from ended e where %(event)s is not null
)
select exists (select from {dependency} d where d.master = e.task) from ended e;

-- name: wake
-- Queues the tasks that depend on that of a job which is done, for when their own pauses are over.
-- Most tasks are no masters, and what is not asked takes no time. In the same transaction as
-- `finish`.
insert into {agenda} (task, route, priority, cause, not_before)
select t.task, t.route, e.priority + 1, 'master',
    greatest(pg_catalog.now(), t.last_ended_at + coalesce(o.pause, t.pause))
from {agenda} e
join {dependency} d on d.master = e.task
join {registry} t on t.task = d.task and t.on_masters and t.state <> 'faulty'
join {route} r on r.route = t.route and not 'manager' = any (r.disabled)
left join {override} o on o.task = t.task
where e.job = %(job)s and not coalesce({is_blacklisted}(o, pg_catalog.now()), false)
and not exists (  -- a master that has never run; when it has, it will wake them
    select from {dependency} other join {registry} m on m.task = other.master
    where other.task = t.task and other.master <> e.task and m.last_done_at is null)
and not exists (  -- a job that is to follow this one stands for it
    select from {agenda} x
    where x.task = t.task and x.status = 'waiting' and e.job = any (x.after))
order by t.task  -- always in this order, so that no two insert them crosswise
on conflict (task) where status = 'waiting' and backfill is null do nothing
returning job;

-- name: give_back
-- A job that was not to be ended here goes back to the queue; the try does not count. Where the
-- task already has a waiting job, that one stands for both, and nothing is returned.
with mine as (
    select a.job, a.full_load, a.rebuild, other.job as other
    from {agenda} a
    left join {agenda} other on other.task = a.task and other.status = 'waiting'
        and other.backfill is not distinct from a.backfill
    where a.job = %(job)s and a.status = 'running' and a.worker = %(worker)s
), passed_on as (
    update {agenda} a set full_load = true, rebuild = a.rebuild or m.rebuild
    from mine m where a.job = m.other and (m.full_load, m.rebuild) > (a.full_load, a.rebuild)
)
update {agenda} a set status = 'waiting', tries = tries - 1, backend = null, message = %(message)s
from mine m
where a.job = m.job and a.status = 'running' and m.other is null
returning a.job;

-- name: try_again
-- A failed job goes back to the queue while it has tries left; each wait is twice the last. Where
-- the task already has a waiting job, that one stands for both, and nothing is returned.
with mine as (
    select a.job, a.full_load, a.rebuild, t.retry_wait * (2 ^ (a.tries - 1)) as wait, other.job as other
    from {agenda} a
    join {registry} t on t.task = a.task and a.tries <= t.retries
    left join {agenda} other on other.task = a.task and other.status = 'waiting'
        and other.backfill is not distinct from a.backfill
    where a.job = %(job)s and a.status = 'running' and a.worker = %(worker)s
), passed_on as (
    update {agenda} a set full_load = true, rebuild = a.rebuild or m.rebuild
    from mine m where a.job = m.other and (m.full_load, m.rebuild) > (a.full_load, a.rebuild)
)
update {agenda} a set
    status = 'waiting', message = %(message)s, backend = null,
    not_before = pg_catalog.clock_timestamp() + m.wait
from mine m
where a.job = m.job and a.status = 'running' and m.other is null
returning m.wait;

-- name: has_tries
-- Whether a job that fails now would have tries left.
select a.tries <= t.retries from {agenda} a join {registry} t on t.task = a.task where a.job = %(job)s;

-- name: owner
-- Whether a worker still has a job, or has done it: others see that before the worker itself knows.
select exists (
    select from {agenda}
    where job = %(job)s and status in ('running', 'done') and worker = %(worker)s);

-- name: free
-- The jobs of workers that ended without ending them wait again, at once after the first time, and
-- after that as after a failed try; those without tries left have failed. Where the task already
-- has a waiting job, that one stands for both.
with dead as (
    select me.job, me.task, me.full_load, me.rebuild, other.job as other,
        case when other.job is not null then 'cancelled'
            when me.tries > t.retries then 'failed' else 'waiting' end as status,
        case when other.job is not null then '; another job of the task is waiting'
            when me.tries > t.retries then '; no tries left' else '' end as why,
        pg_catalog.now() + coalesce(t.retry_wait * (2 ^ (me.tries - 2)), interval '0')
            * (me.tries > 1)::integer as again_at
    from {agenda} me
    left join {agenda} other on other.task = me.task and other.status = 'waiting'
        and other.backfill is not distinct from me.backfill
    left join {registry} t on t.task = me.task
    where me.status = 'running'
    and not exists (select from {worker} w where w.worker = me.worker and w.ended_at is null)
), freed as (
    update {agenda} a set status = d.status, backend = null, not_before = d.again_at,
        ended_at = case when d.status <> 'waiting' then pg_catalog.now() end,
        message = 'its worker died' || d.why
    from dead d where a.job = d.job and a.status = 'running'
    returning a.job, a.task, a.status, a.message, a.started_at, a.ended_at, a.backfill
), passed_on as (
    update {agenda} a set full_load = true, rebuild = a.rebuild or d.rebuild
    from dead d where a.job = d.other and (d.full_load, d.rebuild) > (a.full_load, a.rebuild)
), noted as (
    update {registry} t set last_job = f.job, last_status = f.status,
        last_started_at = f.started_at, last_ended_at = f.ended_at
    from freed f where t.task = f.task and f.status = 'failed' and f.backfill is null
), logged as (
    insert into {event} (job, task, level, message)
    select job, task, case when status = 'failed' then 'error' else 'warning' end, message
    from freed
)
select job, task, status from freed order by job;

-- name: exhausted
-- Waiting jobs that no worker will take: those that used up their tries without an ending, as when
-- their worker died each time, and those whose task was unregistered while they ran.
with ended as (
    update {agenda} a set
        status = case when t.task is null then 'lost' else 'failed' end, ended_at = pg_catalog.now(),
        message = coalesce(a.message || '; ', '') ||
            case when t.task is null then 'no longer registered' else 'no tries left' end
    from {agenda} me
    left join {registry} t on t.task = me.task
    where me.job = a.job and a.status = 'waiting' and (t.task is null or me.tries > t.retries)
    returning a.job, a.task, a.started_at, a.ended_at, a.backfill
), noted as (
    update {registry} t set last_job = e.job, last_status = 'failed',
        last_started_at = e.started_at, last_ended_at = e.ended_at
    from ended e where t.task = e.task and e.backfill is null
)
select job, task from ended order by job;

-- name: cancel_followers
-- Waiting jobs that were to follow one that did not end well: what they were to read is not there.
update {agenda} a set status = 'cancelled', ended_at = pg_catalog.now(),
    message = 'job ' || f.job || ' (' || f.task || '), which it was to follow, is ' || f.status
from {agenda} w cross join pg_catalog.unnest(w.after) as master (job) join {agenda} f on f.job = master.job
where a.job = w.job and w.status = 'waiting' and a.status = 'waiting'
and f.status not in ('waiting', 'running', 'done')
returning a.job, a.task;

-- name: queue_due
-- Queues every task that is due, and returns job and task. What is due stands in `readiness`, of
-- which `dapu why` is told too.
insert into {agenda} (task, route, priority, cause)
select task, route, priority, 'manager'
from {readiness}(%(now)s, %(day_parts)s::text[])
where reason is null
-- As everywhere where jobs are queued, so that two that do it at once do not lock each other.
order by task
on conflict do nothing
returning job, task;

-- name: readiness
-- Why the Manager does not queue tasks now, with what a person wants to know of it.
select f.task, f.reason, f.due_from, f.day_parts, t.fault, t.cron, o.note,
    o.blacklisted_until, coalesce(p.value ->> 'by', r.paused_by),
    array(select d.master from {dependency} d join {registry} m on m.task = d.master
        where d.task = t.task and m.last_done_at is null order by d.master),
    array(select d.master from {dependency} d join {registry} m on m.task = d.master
        where d.task = t.task
        and pg_catalog.to_regclass(pg_catalog.format('%%I.%%I', m.schema_name, m.table_name)) is null
        order by d.master),
    array(select d.master from {dependency} d where d.task = t.task order by d.master),
    array(select d.master from {dependency} d join {registry} m on m.task = d.master
        where d.task = t.task and m.last_status = 'failed' order by d.master)
from {readiness}(%(now)s, %(day_parts)s::text[]) f
join {registry} t on t.task = f.task
join {route} r on r.route = t.route
left join {override} o on o.task = f.task
left join {control} p on p.name = 'paused'
where f.task = any (%(tasks)s);

-- name: holds
-- Of each task the job that waits or runs, and what keeps `claim` from starting the one that waits.
-- Before it are the jobs that `claim` would take now, and rather than this one.
with startable as materialized (
    select w.job, w.priority
    from {agenda} w
    join {registry} t on t.task = w.task and t.state = 'ready'
    join {route} r on r.route = w.route and not 'worker' = any (r.disabled) and r.paused_by is null
    where w.status = 'waiting' and w.not_before <= %(now)s and w.tries <= t.retries
    and not exists (
        select from {agenda} x where x.job = any (w.after) and x.status <> 'done')
    and not exists (select from {agenda} x where x.task = w.task and x.status = 'running')
    and (r.concurrency is null or r.concurrency > (
        select pg_catalog.count(*) from {agenda} x where x.route = w.route and x.status = 'running'))
    and not exists (
        select from {dependency} d
        join {agenda} x on x.task = d.master
            and (x.status = 'running' or x.status = 'waiting' and x.backfill is null)
        where d.task = w.task)
)
select distinct on (a.task) a.task, a.job, a.status, a.started_at, a.not_before, a.not_before > %(now)s, a.tries,
    a.tries > t.retries,
    'worker' = any (r.disabled), r.paused_by is not null, r.concurrency,
    array(select x.task from {agenda} x
        where x.status = 'running' and x.route = a.route order by x.job),
    array(select x.job from {agenda} x where x.job = any (a.after) and x.status <> 'done'
        order by x.job),
    array(select distinct x.task from {dependency} d
        join {agenda} x on x.task = d.master
            and (x.status = 'running' or x.status = 'waiting' and x.backfill is null)
        where d.task = a.task order by x.task),
    (select pg_catalog.count(*) from startable x where (x.priority, x.job) < (a.priority, a.job)),
    (select pg_catalog.count(*) from {worker} w where w.ended_at is null)
from {agenda} a
join {registry} t on t.task = a.task
join {route} r on r.route = a.route
where a.task = any (%(tasks)s) and a.status in ('running', 'waiting') and a.backfill is null
order by a.task, a.status;

-- name: does_already
-- The newest job of a task that does, or did, what is asked for: it started after a time, and after
-- the task's masters were last done.
select a.job from {agenda} a
where a.task = %(task)s and a.backfill is null and a.started_at >= %(since)s
and (a.status = 'running' or a.status = 'done' and %(done)s)
and (a.full_load or not %(full)s)
and not exists (
    select from {dependency} d join {registry} m on m.task = d.master
    where d.task = a.task and m.last_done_at > a.started_at)
order by a.job desc limit 1;

-- name: add
-- Queues one task for an operator; a job that is waiting already takes the new wishes, and where
-- that is to follow none it follows none.
insert into {agenda} (task, route, priority, cause, full_load, rebuild, after)
select t.task, t.route, %(priority)s, %(cause)s, %(full)s, %(rebuild)s, %(after)s
from {registry} t where t.task = %(task)s
on conflict (task) where status = 'waiting' and backfill is null do update set
    priority = least({agenda}.priority, excluded.priority), cause = excluded.cause,
    full_load = {agenda}.full_load or excluded.full_load,
    rebuild = {agenda}.rebuild or excluded.rebuild, tries = 0, not_before = pg_catalog.now(),
    after = case when excluded.after = '{{}}' then '{{}}' else {agenda}.after || excluded.after end
returning job;

-- name: add_backfill
-- Queues a backfill, a range that is to be read again, beside the task's other jobs.
insert into {agenda} (task, route, priority, cause, backfill, after)
select t.task, t.route, %(priority)s, %(cause)s, %(backfill)s, %(after)s
from {registry} t where t.task = %(task)s
on conflict (task, backfill) where status = 'waiting' and backfill is not null do update set
    priority = least({agenda}.priority, excluded.priority), cause = excluded.cause, tries = 0,
    not_before = pg_catalog.now(),
    after = case when excluded.after = '{{}}' then '{{}}' else {agenda}.after || excluded.after end
returning job;

-- name: withdraw
-- The waiting jobs of tasks that changed or went away.
update {agenda} set status = 'cancelled', ended_at = pg_catalog.now(), message = %(message)s
where status = 'waiting' and task = any (%(tasks)s)
returning task, full_load;

-- name: cancel
-- Cancels a waiting or running job; returns its task and what it was. The worker that runs it sees
-- within a second that the job is no longer its own, and stops.
with before as (
    select job, status from {agenda}
    where job = %(job)s and status in ('waiting', 'running') for update
)
update {agenda} a set status = 'cancelled', ended_at = pg_catalog.now(), backend = null,
    message = 'cancelled by an operator'
from before where a.job = before.job
returning a.task, before.status;

-- name: job
select task, status, full_load, backfill, rows, message, rebuild from {agenda} where job = %(job)s;

-- name: states
-- How jobs are now, for who watches them; and whether a waiting one may start by the clock.
select job, task, status, rows, message, status = 'waiting' and not_before <= pg_catalog.now()
from {agenda} where job = any (%(jobs)s) order by job;

-- name: running
select a.job, a.task, a.worker, a.started_at from {agenda} a where a.status = 'running' order by job;

-- name: history
-- The newest jobs of a task.
select job, status, cause, tries, queued_at, started_at, ended_at, rows, message, hash
from {agenda} where task = %(task)s order by job desc limit %(most)s;

-- name: counts
-- How many jobs are waiting and running now, and how those of the last day ended.
select status, pg_catalog.count(*) from {agenda}
where status in ('waiting', 'running') or ended_at > pg_catalog.now() - interval '1 day'
group by status order by status;

-- name: prune
delete from {agenda} where ended_at < pg_catalog.now() - %(age)s;

-- name: claim_after_commit
-- Takes over what is to run after the commit of a job whose worker ended before it, with the task as
-- it is registered now. Each time counts as a try, and there are as many as for the job itself.
update {agenda} a set worker = %(worker)s, tries = a.tries + 1
from (
    select w.job, coalesce(o.timeout, t.timeout) as timeout, t.hash, t.definition, r.connection
    from {agenda} w
    join {registry} t on t.task = w.task and t.state = 'ready'
    join {route} r on r.route = w.route and not 'worker' = any (r.disabled) and r.paused_by is null
    left join {override} o on o.task = w.task
    where w.status = 'done' and w.after_commit is not null and w.tries < 2 * (t.retries + 1)
    and not exists (select from {worker} d where d.worker = w.worker and d.ended_at is null)
    and not exists (select from {control} where name = 'paused')
    order by w.job
    limit 1
    for update of w skip locked
) chosen
where a.job = chosen.job
returning a.job, a.task, a.tries, a.priority, a.full_load, a.cause, chosen.timeout, a.backfill,
    false, a.rebuild, a.after_commit, chosen.hash, chosen.definition, chosen.connection, null, null;

-- name: give_up_after_commit
-- What was to run after a job's commit, where each worker that tried it ended.
with ended as (
    update {agenda} a set after_commit = null,
        message = a.message || '; what runs after its commit did not end: no tries left'
    from {registry} t
    where t.task = a.task and a.status = 'done' and a.after_commit is not null
    and a.tries >= 2 * (t.retries + 1)
    and not exists (select from {worker} d where d.worker = a.worker and d.ended_at is null)
    returning a.job, a.task, a.message
)
insert into {event} (job, task, level, message) select job, task, 'error', message from ended;

-- name: end_after_commit
-- What runs after a job's commit did, or it failed.
update {agenda} set after_commit = null, message = message || %(fault)s where job = %(job)s;
