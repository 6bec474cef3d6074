-- What operators do to jobs and tasks: each with an event that says who did it.

-- name: count
-- How many jobs a filter takes, and the newest.
select pg_catalog.count(*), pg_catalog.max(job)
from {agenda}
where (%(jobs)s::bigint[] is null or job = any (%(jobs)s))
and (%(tasks)s::text[] is null or task = any (%(tasks)s))
and status = any (%(statuses)s)
and (%(since)s::timestamptz is null or coalesce(ended_at, queued_at) >= %(since)s)
and (%(until)s::timestamptz is null or coalesce(ended_at, queued_at) < %(until)s)
and (%(upto)s::bigint is null or job <= %(upto)s);

-- name: first
-- The newest of the jobs that a filter takes.
select job, task, status, message from {agenda}
where (%(jobs)s::bigint[] is null or job = any (%(jobs)s))
and (%(tasks)s::text[] is null or task = any (%(tasks)s))
and status = any (%(statuses)s)
and (%(since)s::timestamptz is null or coalesce(ended_at, queued_at) >= %(since)s)
and (%(until)s::timestamptz is null or coalesce(ended_at, queued_at) < %(until)s)
and (%(upto)s::bigint is null or job <= %(upto)s)
order by job desc limit %(most)s;

-- name: cancel
-- Cancels the jobs that a filter takes and that wait or run. A worker that runs one sees within a
-- second that it is no longer its own, and stops.
with before as (
    select job, status from {agenda}
    where (%(jobs)s::bigint[] is null or job = any (%(jobs)s))
    and (%(tasks)s::text[] is null or task = any (%(tasks)s))
    and status in ('waiting', 'running') and status = any (%(statuses)s)
    and (%(since)s::timestamptz is null or coalesce(ended_at, queued_at) >= %(since)s)
    and (%(until)s::timestamptz is null or coalesce(ended_at, queued_at) < %(until)s)
    and (%(upto)s::bigint is null or job <= %(upto)s)
    order by job for update
), ended as (
    update {agenda} a set status = 'cancelled', ended_at = pg_catalog.now(), backend = null,
        message = 'cancelled by ' || %(by)s
    from before where a.job = before.job
    returning a.job, a.task, before.status as was
), logged as (
    insert into {event} (job, task, level, message, data)
    select job, task, 'warning', 'cancelled by ' || %(by)s, %(data)s from ended
)
select job, task, was from ended order by job;

-- name: retry
-- Queues the tasks of the jobs that a filter takes again, each as its newest of them was, at the
-- highest priority. The jobs stay as they are, but that one which waits for its next try waits no
-- longer. What is queued for an operator takes the same way in `agenda.add`.
with newest as (
    select pg_catalog.max(job) as job
    from {agenda}
    where (%(jobs)s::bigint[] is null or job = any (%(jobs)s))
    and (%(tasks)s::text[] is null or task = any (%(tasks)s))
    and status <> 'running' and status = any (%(statuses)s)
    and (%(since)s::timestamptz is null or coalesce(ended_at, queued_at) >= %(since)s)
    and (%(until)s::timestamptz is null or coalesce(ended_at, queued_at) < %(until)s)
    and (%(upto)s::bigint is null or job <= %(upto)s)
    group by task, backfill
), chosen as (
    select a.job, a.task, a.full_load, a.rebuild, a.backfill
    from newest n join {agenda} a on a.job = n.job
), queued as (
    insert into {agenda} (task, route, priority, cause, full_load, rebuild)
    select t.task, t.route, 1, 'retry', c.full_load, c.rebuild
    from chosen c join {registry} t on t.task = c.task
    where c.backfill is null order by t.task
    on conflict (task) where status = 'waiting' and backfill is null do update set
        priority = least({agenda}.priority, excluded.priority), cause = excluded.cause,
        full_load = {agenda}.full_load or excluded.full_load,
        rebuild = {agenda}.rebuild or excluded.rebuild, tries = 0,
        not_before = pg_catalog.now(), after = '{{}}'
    returning job, task, backfill
), queued_backfills as (
    insert into {agenda} (task, route, priority, cause, backfill)
    select t.task, t.route, 1, 'retry', c.backfill
    from chosen c join {registry} t on t.task = c.task
    where c.backfill is not null order by t.task, c.backfill
    on conflict (task, backfill) where status = 'waiting' and backfill is not null do update set
        priority = least({agenda}.priority, excluded.priority), cause = excluded.cause, tries = 0,
        not_before = pg_catalog.now(), after = '{{}}'
    returning job, task, backfill
), again as (
    select q.job, q.task, c.job as old
    from (select * from queued union all select * from queued_backfills) q
    join chosen c on c.task = q.task and c.backfill is not distinct from q.backfill
), logged as (
    insert into {event} (job, task, level, message, data)
    select job, task, 'info',
        case when job = old then 'waits for its next try no longer: '
            else 'queued as job ' || old || ' was, to try it again, by ' end || %(by)s, %(data)s
    from again
)
select job, task from again order by job;

-- name: run
-- Queues tasks at the highest priority. One that waits already takes the new wishes, and follows
-- no other job, but for those that are queued with it.
with queued as (
    insert into {agenda} (task, route, priority, cause, full_load)
    select t.task, t.route, 1, 'run', %(full)s
    from {registry} t where t.task = any (%(tasks)s) order by t.task
    on conflict (task) where status = 'waiting' and backfill is null do update set
        priority = least({agenda}.priority, excluded.priority), cause = excluded.cause,
        full_load = {agenda}.full_load or excluded.full_load, tries = 0,
        not_before = pg_catalog.now(), after = '{{}}'
    returning job, task
), logged as (
    insert into {event} (job, task, level, message, data)
    select job, task, 'info', 'queued by ' || %(by)s, %(data)s from queued
)
select job, task from queued order by job;

-- name: queued
-- Notes who queued jobs.
insert into {event} (job, task, level, message, data)
select job, task, 'info', 'queued by ' || %(by)s, %(data)s from {agenda} where job = any (%(jobs)s) order by job;

-- name: follow
-- Lets jobs that are queued together follow those of their masters among them: what depends on
-- one that fails is not run.
update {agenda} a set after = x.after
from (
    select mine.job, pg_catalog.array_agg(above.job order by above.job) as after
    from {agenda} mine
    join {dependency} d on d.task = mine.task
    join {agenda} above on above.task = d.master and above.job = any (%(jobs)s)
    where mine.job = any (%(jobs)s)
    group by mine.job) x
where a.job = x.job and a.status = 'waiting';

-- name: blacklist
-- Keeps tasks off for a time (null: until an operator ends it).
with put as (
    insert into {override} (task, blacklisted, blacklisted_until, note)
    select t.task, true, pg_catalog.now() + %(length)s::interval, %(note)s
    from {registry} t where t.task = any (%(tasks)s) order by t.task
    on conflict (task) do update set blacklisted = true,
        blacklisted_until = excluded.blacklisted_until,
        note = coalesce(excluded.note, {override}.note), changed_at = pg_catalog.now()
    returning task, blacklisted_until
), logged as (
    insert into {event} (task, level, message, data)
    select task, 'warning', 'blacklisted by ' || %(by)s
        || coalesce(pg_catalog.to_char(blacklisted_until, '", until "YYYY-MM-DD HH24:MI TZ'), ''), %(data)s
    from put
)
select task from put order by task;

-- name: unblacklist
-- Ends what `blacklist` did; other overrides of the tasks stay.
with ended as (
    update {override} set blacklisted = false, blacklisted_until = null, changed_at = pg_catalog.now()
    where blacklisted and task = any (%(tasks)s)
    returning task
), logged as (
    insert into {event} (task, level, message, data)
    select task, 'info', 'no longer blacklisted, by ' || %(by)s, %(data)s from ended
)
select task from ended order by task;

-- name: clear_watermarks
-- Tasks forget how far they have read their sources: the next run reads everything.
with of_tasks as (
    select task from {registry} where task = any (%(tasks)s)
), mark as (
    delete from {watermark} x using of_tasks t where x.task = t.task returning x.task, x.column_name, x.value
), range as (
    delete from {read_range} x using of_tasks t where x.task = t.task
), part as (
    delete from {seen} x using of_tasks t where x.task = t.task
), block as (
    delete from {block} x using of_tasks t where x.task = t.task
), logged as (
    insert into {event} (task, level, message, data)
    select t.task, 'warning', 'watermark cleared by ' || %(by)s || coalesce(': it was ' || (
        select pg_catalog.string_agg(m.column_name || ' ' || m.value, ', ') from mark m where m.task = t.task), ''), %(data)s
    from of_tasks t
)
select task from of_tasks order by task;

-- name: have_read
-- Which tasks know how far they have read their sources: what `clear_watermarks` forgets.
select t.task from {registry} t
where t.task = any (%(tasks)s) and (
    exists (select from {watermark} x where x.task = t.task)
    or exists (select from {read_range} x where x.task = t.task)
    or exists (select from {seen} x where x.task = t.task)
    or exists (select from {block} x where x.task = t.task));

-- name: blacklisted
-- Which tasks `unblacklist` would end it of.
select task from {override} where blacklisted and task = any (%(tasks)s);

-- name: watermarks
-- How far tasks have read their sources.
select task, 'has read up to ' || pg_catalog.string_agg(column_name || ' ' || value, ', ' order by source)
from {watermark} where task = any (%(tasks)s) group by task;

-- name: log
-- Something that belongs to no job, with who did it.
insert into {event} (level, message, data) values (%(level)s, %(message)s, %(data)s);
