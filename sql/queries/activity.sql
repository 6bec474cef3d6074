-- What runs now, what is next, and what ended last.

-- name: running
-- rows: that the COPY of the job's session has brought until now, or the parts of its split load.
select a.task, a.job, pg_catalog.now() - a.started_at,
    coalesce(p.tuples_processed, (
        select pg_catalog.sum(x.rows)::bigint from {part} x where x.task = a.task and x.job = a.job)),
    a.worker, w.host
from {agenda} a
left join {worker} w on w.worker = a.worker
left join pg_stat_progress_copy p on p.pid = a.backend
where a.status = 'running' order by a.started_at;

-- name: next
-- In the order in which workers take them, as far as that is known.
select a.task, a.job, a.priority, a.not_before from {agenda} a
where a.status = 'waiting'
order by a.not_before > pg_catalog.now(), a.priority, a.job limit %(most)s;

-- name: ended
select a.task, a.job, a.status, a.ended_at, a.ended_at - a.started_at, a.rows, a.message
from {agenda} a where a.ended_at is not null order by a.ended_at desc limit %(most)s;

-- name: counts
select (select pg_catalog.count(*) from {agenda} where status = 'waiting'),
    (select pg_catalog.count(*) from {worker} where ended_at is null);
