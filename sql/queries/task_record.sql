-- Everything that the registry knows of one task.

-- name: registered
-- The definition as registered, with who registered it, and what an operator overrides.
select t.definition, t.hash, t.changed_at, t.registered_by, t.git_commit, t.last_status,
    t.last_started_at, t.last_ended_at, t.last_done_at,
    case when o.task is not null then pg_catalog.json_strip_nulls(pg_catalog.json_build_object(
        'pause', o.pause, 'day_parts', o.day_parts, 'timeout', o.timeout,
        'blacklisted', nullif({is_blacklisted}(o, pg_catalog.now()), false),
        'until', case when {is_blacklisted}(o, pg_catalog.now()) then o.blacklisted_until end, 'note', o.note)) end
from {registry} t left join {override} o on o.task = t.task
where t.task = %(task)s;

-- name: relatives
-- The tasks that it depends on, and those that depend on it, with how their last run ended.
select d.master = t.task as is_dependent, m.task, m.last_status, m.last_ended_at
from {registry} t
join {dependency} d on t.task in (d.task, d.master)
join {registry} m on m.task = case when d.master = t.task then d.task else d.master end
where t.task = %(task)s
order by 1, 2;

-- name: watermarks
-- How far it has read each of its sources.
select source, column_name, value, job, moved_at from {watermark}
where task = %(task)s order by source;

-- name: steps
-- The steps of its ver/ that were applied to its table.
select name, applied_at from {migration} where scope = %(task)s order by number;
