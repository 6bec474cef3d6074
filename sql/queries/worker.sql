-- Worker processes, and which of them are alive.

-- name: settings_for_claims
-- In the session for claims and events. Nothing waits for the disk: what is lost with the server is
-- one of those, never a job's ending. A claim walks the waiting jobs in their order, and ends at the
-- first that may run: without statistics, or with those of an agenda in which nothing waited, the
-- server would think that few wait, and look at all of them to sort them, at each claim. And a new
-- session need not plan it six times.
set synchronous_commit to off;
set enable_sort to off;
set plan_cache_mode to force_generic_plan;

-- name: next_number
select pg_catalog.nextval(pg_catalog.pg_get_serial_sequence(%(table)s, 'worker'));

-- name: take_number
-- The lock that says "I am alive": it goes when the session goes, whatever ended it.
select pg_catalog.pg_advisory_lock(%(registry)s, %(worker)s);

-- name: add
insert into {worker} (worker, host, pid, version) overriding system value
values (%(worker)s, %(host)s, %(pid)s, %(version)s);

-- name: end
update {worker} set ended_at = pg_catalog.now(), ending = %(ending)s, jobs = %(jobs)s
where worker = %(worker)s and ended_at is null;

-- name: bury
-- Marks the workers that no longer hold their lock.
update {worker} w set ended_at = pg_catalog.now(), ending = 'died'
where w.ended_at is null
and not exists (
    select from pg_locks l
    where l.locktype = 'advisory' and l.granted
    and l.database = (select oid from pg_database where datname = pg_catalog.current_database())
    and l.classid = %(registry)s and l.objid = w.worker::oid and l.objsubid = 2);

-- name: alive_on
-- How many workers of a machine hold their lock.
select pg_catalog.count(*) from {worker} w
join pg_locks l on l.locktype = 'advisory' and l.granted
    and l.database = (select oid from pg_database where datname = pg_catalog.current_database())
    and l.classid = %(registry)s and l.objid = w.worker::oid and l.objsubid = 2
where w.ended_at is null and w.host = %(host)s;

-- name: is_served
-- Without `track_activities` nothing says that the server waits.
select exists (
    select from pg_stat_activity
    where pid = %(backend)s and not coalesce(
        wait_event = 'ClientRead'
        and state_change < pg_catalog.clock_timestamp()
            - pg_catalog.make_interval(secs => %(seconds)s), false));

-- name: end_sessions
-- Ends the sessions in which jobs of dead workers run. A process of the server that began before
-- the job, with the worker's number in its name, is no other one with the same number.
select pg_catalog.pg_terminate_backend(s.pid)
from {agenda} a
join {worker} w on w.worker = a.worker and w.ended_at is not null
join pg_stat_activity s on s.pid = a.backend
where a.status = 'running' and s.backend_start <= a.started_at
and s.usename = current_user and s.application_name ~ (' worker ' || a.worker || '$');

-- name: end_former
-- Ends what a worker's broken connections left on the server: the holder of its number's lock, and
-- the session of its jobs, which a pooler may have given to somebody else meanwhile.
select pg_catalog.pg_terminate_backend(s.pid)
from pg_stat_activity s
where s.usename = current_user
and (s.pid = %(backend)s and s.application_name ~ (' worker ' || %(worker)s::text || '$')
    or s.pid in (
        select l.pid from pg_locks l
        where l.locktype = 'advisory' and l.granted
        and l.database = (
            select oid from pg_database where datname = pg_catalog.current_database())
        and l.classid = %(registry)s and l.objid = %(worker)s::bigint::oid and l.objsubid = 2));

-- name: listen
-- Where workers say to one another that nothing is left.
listen {channel};

-- name: wake_others
-- Those that wait for the end of a job that ran need not ask until they see it.
select pg_catalog.pg_notify(%(channel)s, '');

-- name: prune
delete from {worker} where ended_at < pg_catalog.now() - %(age)s;
