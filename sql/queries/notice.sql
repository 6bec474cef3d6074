-- The outbox: what people are to be told of, and what they were.

-- name: add
-- In the transaction of what it tells; once for each occasion.
insert into {notice} (kind, task, job, occasion, message)
values (%(kind)s, %(task)s, %(job)s, %(occasion)s, %(message)s)
on conflict do nothing;

-- name: usual_rows
-- How many rows the last runs of a task brought that read what is new, the newest first.
select rows from {agenda}
where task = %(task)s and status = 'done' and backfill is null and not full_load and rows is not null
order by job desc limit 10;

-- name: meet
-- A recipient that is new gets what happens from now on.
insert into {recipient} (recipient) values (%(recipient)s) on conflict do nothing;

-- name: try_lock
-- One sender at a time for each recipient; the lock falls with its session.
select pg_catalog.pg_try_advisory_lock(%(key)s);

-- name: unlock
select pg_catalog.pg_advisory_unlock(%(key)s);

-- name: open_message
-- The oldest message that was not taken; whether a try of it was broken off, and whether it may be
-- tried now.
select message, begun_at is not null, not_before <= pg_catalog.now(), tries from {message}
where recipient = %(recipient)s and sent_at is null order by message limit 1;

-- name: collect
-- Makes a message of what a recipient was not told yet, once the oldest has waited long enough for
-- others. tasks: those that it wants to hear of; null: all.
with fresh as (
    select n.notice, n.at from {notice} n
    join {recipient} r on r.recipient = %(recipient)s and n.at >= r.since
    where n.kind = any (%(kinds)s)
    and (%(tasks)s::text[] is null or n.task = any (%(tasks)s))
    and not exists (
        select from {delivery} d where d.recipient = r.recipient and d.notice = n.notice)
), made as (
    insert into {message} (recipient)
    select %(recipient)s where exists (select from fresh)
        and (select pg_catalog.min(at) from fresh) <= pg_catalog.clock_timestamp() - %(wait)s::interval
    returning message
)
insert into {delivery} (recipient, notice, message)
select %(recipient)s, f.notice, m.message from fresh f cross join made m;

-- name: of_message
select n.kind, n.task, n.job, n.at, n.message from {delivery} d
join {notice} n on n.notice = d.notice
where d.message = %(message)s order by n.notice;

-- name: begin
update {message} set begun_at = pg_catalog.clock_timestamp(), tries = tries + 1
where message = %(message)s;

-- name: sent
update {message} set sent_at = pg_catalog.clock_timestamp(), begun_at = null, error = null
where message = %(message)s;

-- name: failed
-- Each wait is twice the last, from a minute to an hour.
update {message} set begun_at = null, error = %(error)s, not_before = pg_catalog.clock_timestamp()
    + least(interval '1 minute' * (2 ^ least(tries - 1, 10)), interval '1 hour')
where message = %(message)s;

-- name: unsent
-- The recipients with messages that were not taken: how many, since when, and why the last was not.
select recipient, pg_catalog.count(*), pg_catalog.min(made_at),
    (pg_catalog.array_agg(error order by message) filter (where error is not null))[1]
from {message} where sent_at is null group by recipient order by recipient;

-- name: prune
-- What was not taken yet stays.
delete from {notice} n where n.at < pg_catalog.now() - %(age)s
and not exists (
    select from {delivery} d join {message} m on m.message = d.message
    where d.notice = n.notice and m.sent_at is null);

-- name: prune_messages
delete from {message} m where m.made_at < pg_catalog.now() - %(age)s
and not exists (select from {delivery} d where d.message = m.message);
