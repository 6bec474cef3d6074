-- Parts of a split load that is under way.

-- name: of_action
select number, plan, low, high, rows, job from {part}
where task = %(task)s and action = %(action)s order by number;

-- name: too_old
-- Whether parts were read so long ago that the rest would not go with them.
select coalesce(pg_catalog.min(done_at) < pg_catalog.now() - interval '1 day', false) from {part}
where task = %(task)s and action = %(action)s;

-- name: put
insert into {part} (task, action, number, plan, low, high, job) values %s;

-- name: done
-- Notes a part as read; no row when another session was first, or it belongs to another plan by now.
update {part} set rows = %(rows)s, done_at = pg_catalog.now(), job = %(job)s, worker = %(worker)s
where task = %(task)s and action = %(action)s and number = %(number)s and plan = %(plan)s
and rows is null
returning number;

-- name: take
-- A part that nobody reads, for as long as the transaction lasts: whoever dies has it no more. One
-- of the numbers in `slots` is held as long, so that no more are read at once than there are numbers.
with slot as materialized (
    select key from pg_catalog.unnest(%(slots)s::bigint[]) key
    where pg_catalog.pg_try_advisory_xact_lock(key) limit 1
)
select number, plan, low, high, rows, job from {part}
where task = %(task)s and action = %(action)s and plan = %(plan)s and rows is null
and exists (select from slot)
order by number limit 1 for update skip locked;

-- name: left
-- How many parts of a plan are not read yet, those included that somebody reads now.
select pg_catalog.count(*) from {part}
where task = %(task)s and action = %(action)s and plan = %(plan)s and rows is null;

-- name: read_by_others
select pg_catalog.count(*) from {part}
where task = %(task)s and action = %(action)s and plan = %(plan)s and worker is not null;

-- name: idle_workers
-- Workers without a job of their own, which may read parts.
select pg_catalog.count(*) from {worker} w
where w.ended_at is null
and not exists (select from {agenda} a where a.status = 'running' and a.worker = w.worker);

-- name: offer
-- Lets other workers read parts. What an earlier try offered, or another action of the task, is over.
with former as (
    delete from {part_offer} where task = %(task)s and offer <> %(offer)s
)
insert into {part_offer} (offer, task, action, job, worker, at_once, reading)
select %(offer)s, a.task, %(action)s, a.job, a.worker, %(at_once)s, %(reading)s
from {agenda} a where a.job = %(job)s and a.task = %(task)s and a.status = 'running';

-- name: withdraw
delete from {part_offer} where offer = %(offer)s;

-- name: is_offered
-- Whether the job still runs where it was when it offered its parts.
select exists (
    select from {part_offer} o
    join {agenda} a on a.job = o.job and a.worker = o.worker and a.status = 'running'
    where o.offer = %(offer)s);

-- name: offers
-- Split loads with parts that are not read yet, the most urgent first, each with its job and its
-- task as it was when the job began. In a pause, nothing is begun.
select o.offer, o.action, o.at_once, o.reading, a.job, a.task, a.tries, a.priority, a.cause,
    t.hash, t.definition, r.connection
from {part_offer} o
join {agenda} a on a.job = o.job and a.worker = o.worker and a.status = 'running'
join {registry} t on t.task = o.task and t.hash = a.hash
join {route} r on r.route = t.route and not 'worker' = any (r.disabled) and r.paused_by is null
where o.worker <> %(worker)s
and not exists (select from {control} where name = 'paused')
and exists (select from {part} p where p.task = o.task and p.action = o.action and p.rows is null)
order by a.priority, a.job;

-- name: forget
with offered as (
    delete from {part_offer} where task = %(task)s and action = %(action)s
)
delete from {part} where task = %(task)s and action = %(action)s;

-- name: range
-- The lowest and the highest value of what the parts are cut by.
-- {schema} is `pg_catalog.` in PostgreSQL, and nothing elsewhere.
select {schema}min(dapu_value), {schema}max(dapu_value) from (
    select {value} as dapu_value from (
{query}
) dapu_query) dapu_values;

-- name: rows
select {columns} from {stage};

-- name: drop_stage
drop table if exists {stage};
