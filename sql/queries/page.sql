-- What only pages show.

-- name: jobs
-- Jobs, the newest first, before a number: of tasks (null: all), with a status, ended or queued
-- between two times.
select a.job, a.task, a.status, a.cause, a.tries, a.queued_at, a.started_at, a.ended_at, a.rows, a.message
from {agenda} a
where (%(tasks)s::text[] is null or a.task = any (%(tasks)s))
and (%(statuses)s::text[] is null or a.status = any (%(statuses)s))
and (%(since)s::timestamptz is null or coalesce(a.ended_at, a.queued_at) >= %(since)s)
and (%(before)s::bigint is null or a.job < %(before)s)
order by a.job desc limit %(most)s;

-- name: job
-- A job, with its worker and the definition with which it ran.
select a.job, a.task, a.status, a.cause, a.tries, a.queued_at, a.started_at, a.ended_at, a.rows, a.message,
    a.hash, a.worker, w.host, a.priority, a.full_load, a.not_before
from {agenda} a left join {worker} w on w.worker = a.worker
where a.job = %(job)s;

-- name: waiting
-- How many jobs wait, and since when the oldest does.
select pg_catalog.count(*), pg_catalog.min(queued_at) from {agenda} where status = 'waiting';

-- name: workers
-- Those that are alive, as far as it is known.
select worker, host, started_at, jobs from {worker} where ended_at is null order by worker;

-- name: checks
-- What each check of tasks found last.
select distinct on (c.task, c."check") c.task, c."check", c.job, c.at, c.fault, c.count
from {checked} c where c.task = any (%(tasks)s) order by c.task, c."check", c.number desc;

-- name: tables
-- Tables as the database has them: comment, owner, about how many rows by the statistics, and size
-- with indexes. The names of schemas and of tables come in two lists, in one order.
select w.schema, w.name, pg_catalog.obj_description(c.oid, 'pg_class'),
    pg_catalog.pg_get_userbyid(c.relowner), nullif(c.reltuples, -1)::bigint,
    pg_catalog.pg_total_relation_size(c.oid)
from rows from (pg_catalog.unnest(%(schemas)s::text[]), pg_catalog.unnest(%(tables)s::text[])) w (schema, name)
join pg_catalog.pg_namespace n on n.nspname = w.schema
join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = w.name
    and c.relkind in ('r', 'p', 'v', 'm', 'f');

-- name: columns
-- Their columns, in their order.
select w.schema, w.name, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
    pg_catalog.col_description(c.oid, a.attnum)
from rows from (pg_catalog.unnest(%(schemas)s::text[]), pg_catalog.unnest(%(tables)s::text[])) w (schema, name)
join pg_catalog.pg_namespace n on n.nspname = w.schema
join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = w.name
    and c.relkind in ('r', 'p', 'v', 'm', 'f')
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
order by w.schema, w.name, a.attnum;

-- name: rejected
-- The newest rows that a table could not take.
select rejected_at, reason, record::text from {rejected} order by rejected_at desc limit {most};

-- name: definitions
-- What task.yaml says, as it was registered.
select task, definition from {registry} where task = any (%(tasks)s);
