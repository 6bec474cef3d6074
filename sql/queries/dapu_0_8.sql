-- The registry of dapu 0.8, which may stand in the same database: it is read, never changed.

-- name: is_there
-- Whether a schema has one, with this prefix before the names of its tables.
select pg_catalog.count(*) = 2 from pg_attribute a
join pg_class c on c.oid = a.attrelid and c.relkind = 'r'
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = %(schema)s and not a.attisdropped and (c.relname, a.attname) in (
    (%(prefix)s || 'version', 'folder_alias'), (%(prefix)s || 'registry', 'table_version'));

-- name: is_stopped
-- Whether a newer version than any dapu 0.8 is asked for, so that it ends as soon as it starts.
select pg_catalog.max(allowed_version) > 2 from {stopper};

-- name: running
select task_id from {agenda} where status = -1 order by task_id;

-- name: applied_files
select file_name from {version};

-- name: tasks
select task_id, table_version, synced_until_ts, last_start_ts, last_end_ts from {registry}
order by task_id;

-- name: overrides
-- What operators changed of tasks, the last word of each: pause, timeout, whether it is held back,
-- and its parts of the day (null: those of the definition).
with last as (
    select distinct on (task_id, task_option) task_id, task_option, task_newvalue as value
    from {reconf} where task_id is not null order by task_id, task_option, id desc
), said as (
    select l.task_id, pg_catalog.max(value) filter (where task_option = 'keep_pause') as pause,
        pg_catalog.max(value) filter (where task_option = 'keep_going_interval') as timeout,
        coalesce(pg_catalog.bool_or(value ilike 'yes') filter (where task_option = 'blacklist'), false)
            as blacklisted,
        pg_catalog.bool_or(value ilike 'yes') filter (where task_option = 'morning') as morning,
        pg_catalog.bool_or(value ilike 'yes') filter (where task_option = 'workhours') as workhours,
        pg_catalog.bool_or(value ilike 'yes') filter (where task_option = 'evening') as evening
    from last l group by l.task_id
)
select s.task_id, s.pause::interval, s.timeout::interval, s.blacklisted,
    case when coalesce(s.morning, s.workhours, s.evening) is not null then pg_catalog.array_remove(array[
        case when coalesce(s.morning, r.run_morning) then 'morning' end,
        case when coalesce(s.workhours, r.run_workhours) then 'workhours' end,
        case when coalesce(s.evening, r.run_evening) then 'evening' end], null) end
from said s join {registry} r on r.task_id = s.task_id order by s.task_id;

-- name: routes
-- How many jobs each route may run at once, and what is disabled on it.
select code, nullif(weight, 10000), pg_catalog.lower(disabled) from {route} order by code;

-- name: timezone
-- The zone that the server gives a session of this role, whatever the session has set since.
select reset_val from pg_settings where name = 'TimeZone';
