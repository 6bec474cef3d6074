-- How tasks are, as a whole.

-- name: tasks
-- One row a task, or the row of one: what it is, how it is, how its last runs went
-- (the first letters of their statuses and their seconds, the newest first), and what is next. It is due, or its job waits, since `due_since`, unless an operator or its
-- masters hold it back; the clock holds it back until `due_from`, and then until one of `day_parts`.
-- Since `fresh_until` the last good run is older than expected.
-- part_starts: when each of the parts of the day began that it is now, by their names.
select t.task, t.route, t.state, t.fault, t.description, coalesce(running.status, waiting.status) as now,
    case when running.job is null and waiting.not_before > %(now)s then waiting.not_before end
        as next_try_at,
    coalesce(running.tries, waiting.tries, 0) as tries,
    case when running.job is null then waiting.message end as now_message,
    t.last_status, t.last_ended_at, t.last_ended_at - t.last_started_at as took,
    last.rows, last.message, coalesce({is_blacklisted}(o, %(now)s), false) as blacklisted,
    array(select distinct c.master from {correction} c where c.task = t.task order by c.master)
        as corrected_masters,
    (select s.state from {seen} s
        where s.task = t.task and s.item = 'renamed' and s.state ->> 'hash' = t.hash limit 1) as renamed,
    t.last_done_at, t.last_job, f.reason, f.due_from, f.day_parts,
    case
        when f.reason = 'waiting' and r.paused_by is null and not 'worker' = any (r.disabled)
            then case when waiting.tries = 0
                then greatest(waiting.queued_at, waiting.not_before) else waiting.queued_at end
        when f.reason is null then greatest(
            case when not t.on_masters then t.next_cron_at end,
            case when t.last_ended_at is null or t.changed_at > t.last_started_at
                then t.changed_at else t.last_ended_at + coalesce(o.pause, t.pause) end,
            (select pg_catalog.min(p.value::timestamptz)
                from pg_catalog.json_each_text(%(part_starts)s::json) p
                where p.key = any (f.day_parts)))
    end as due_since,
    t.late_after,
    case when not coalesce({is_blacklisted}(o, %(now)s), false)
        then coalesce(t.last_done_at, t.changed_at) + t.fresh_within end as fresh_until,
    runs.endings, runs.seconds
from {readiness}(%(now)s, %(parts)s::text[]) f
join {registry} t on t.task = f.task
join {route} r on r.route = t.route
left join {override} o on o.task = t.task
left join {agenda} last on last.job = t.last_job
left join {agenda} running on running.task = t.task and running.status = 'running'
left join {agenda} waiting on waiting.task = t.task and waiting.status = 'waiting'
    and waiting.backfill is null
left join lateral (
    select pg_catalog.string_agg(pg_catalog.left(x.status, 1), '') as endings,
        pg_catalog.array_agg(x.seconds) as seconds
    from (
        select a.status, extract(epoch from a.ended_at - a.started_at)::float8 as seconds
        from {agenda} a
        where a.task = t.task and a.ended_at is not null and a.started_at is not null
        order by a.job desc limit %(runs)s) x) runs on true
where %(task)s::text is null or f.task = %(task)s
order by t.task;
