-- What changed in the past of a task's masters, and the task has not read again.

-- name: add
-- Notes at the tasks below a job's task that its past changed: at those that read only what is new,
-- and below those that read everything each time. A range is one of theirs where they read the table
-- itself, and every action but SQL files has the watermark of this column. Returns those that no
-- waiting job will correct.
with recursive below (task, is_direct) as (
    select d.task, true from {dependency} d where d.master = %(task)s
    union
    select d.task, false from below b
    join {registry} t on t.task = b.task
        and not pg_catalog.jsonb_path_exists(t.definition::jsonb, '$.actions[*].watermark')
    join {dependency} d on d.master = b.task
), behind as (
    select distinct on (t.task) t.task, case when b.is_direct and pg_catalog.jsonb_array_length(
            pg_catalog.jsonb_path_query_array(t.definition::jsonb, '$.actions[*] ? (@.do != "sql")'))
        = pg_catalog.jsonb_array_length(pg_catalog.jsonb_path_query_array(
            t.definition::jsonb, '$.actions[*] ? (@.watermark.column == $column)',
            pg_catalog.jsonb_build_object('column', %(column)s::text)))
        then %(backfill)s::jsonb end as backfill
    from below b
    join {registry} t on t.task = b.task and t.last_done_at is not null
        and pg_catalog.jsonb_path_exists(t.definition::jsonb, '$.actions[*].watermark')
    order by t.task, b.is_direct  -- who reads the table in two ways reads everything
), noted as (
    insert into {correction} (task, master, reason, backfill, job, found_at)
    select task, %(task)s, %(reason)s, backfill, %(job)s, pg_catalog.clock_timestamp() from behind order by task
    on conflict (task, master, (coalesce(backfill, '{{}}'))) do update set
        reason = case when {correction}.reason = 'deletes' then 'deletes' else excluded.reason end,
        job = excluded.job, found_at = excluded.found_at
)
select b.task, %(task)s, %(reason)s, b.backfill from behind b
where not exists (
    select from {agenda} a
    where a.task = b.task and a.status = 'waiting' and %(job)s = any (a.after))
order by b.task;

-- name: settle
-- A job that read again what had changed, or everything, has seen what was there when it started.
-- Rows that were deleted go with the table only.
delete from {correction} c using {agenda} a
where a.job = %(job)s and c.task = a.task and c.found_at <= a.started_at
and (a.rebuild or c.reason <> 'deletes'
    and (a.full_load or c.backfill = a.backfill or c.job = any (a.after)));

-- name: open
-- What tasks have not read again; of one task, after one job, or all.
select c.task, c.master, c.reason, c.backfill from {correction} c
where (%(task)s::text is null or c.task = %(task)s) and (%(job)s::bigint is null or c.job = %(job)s)
order by c.task, c.found_at;

-- name: below
-- A task and all that depend on it, directly or not: their state, whether an operator keeps them
-- off, the columns of their watermarks, how many actions read a source, and their masters.
with recursive below (task) as (
    select %(task)s::text
    union
    select d.task from below b join {dependency} d on d.master = b.task
)
select t.task, t.state, t.fault, coalesce({is_blacklisted}(o, pg_catalog.now()), false),
    array(select pg_catalog.jsonb_array_elements_text(
        pg_catalog.jsonb_path_query_array(t.definition::jsonb, '$.actions[*].watermark.column'))),
    pg_catalog.jsonb_array_length(
        pg_catalog.jsonb_path_query_array(t.definition::jsonb, '$.actions[*] ? (@.do != "sql")')),
    array(select d.master from {dependency} d where d.task = t.task order by d.master)
from below b
join {registry} t on t.task = b.task
left join {override} o on o.task = t.task
order by t.task;
