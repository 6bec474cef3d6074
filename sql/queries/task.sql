-- Routes and tasks as last registered.

-- name: put_route
-- One that is as it was is not even locked: a round that finds nothing new writes nothing, and its
-- commit waits for no disk.
insert into {route} (route, description, connection, concurrency, disabled)
select %(route)s, %(description)s, %(connection)s, %(concurrency)s, %(disabled)s
where not exists (
    select from {route}
    where (route, description, connection, concurrency, disabled) is not distinct from
        (%(route)s, %(description)s, %(connection)s, %(concurrency)s, %(disabled)s))
on conflict (route) do update set
    description = excluded.description, connection = excluded.connection,
    concurrency = excluded.concurrency, disabled = excluded.disabled, registered_at = pg_catalog.now();

-- name: drop_routes
-- Routes whose folder was deleted, once no task is left on them.
delete from {route} r where r.route <> all (%(routes)s)
and not exists (select from {registry} t where t.route = r.route);

-- name: hashes
-- The hash of each task that stands in a folder; null where its files must be read anew: it is not ready, or names a part
-- of the day or a connection that no longer exists.
select task, case
    when state = 'ready' and day_parts <@ %(day_parts)s::text[] and not exists (
        select from pg_catalog.json_array_elements(definition -> 'actions') as action
        where action ->> 'connection' <> all (%(connections)s::text[]))
    then hash
end
from {registry} where hash not like 'request:%%';

-- name: dependencies
select task, master from {dependency} order by task, master;

-- name: put
-- Registers new tasks and changed ones; their jobs' history stays. One that was fixed, and is as
-- it was before its fault, has not changed; but if a master woke it meanwhile, nobody knows.
insert into {registry} (
    task, route, schema_name, table_name, description, hash, definition, state, on_masters, pause,
    day_parts, cron, next_cron_at, priority, retries, retry_wait, timeout, late_after, fresh_within, registered_by, git_commit)
values %s
on conflict (task) do update set
    description = excluded.description, hash = excluded.hash, definition = excluded.definition,
    state = excluded.state, fault = null, on_masters = excluded.on_masters,
    pause = excluded.pause, day_parts = excluded.day_parts, cron = excluded.cron,
    next_cron_at = case when {registry}.cron = excluded.cron
        then {registry}.next_cron_at else excluded.next_cron_at end,
    priority = excluded.priority, retries = excluded.retries, retry_wait = excluded.retry_wait,
    timeout = excluded.timeout, late_after = excluded.late_after, fresh_within = excluded.fresh_within,
    registered_by = excluded.registered_by, git_commit = excluded.git_commit,
    changed_at = case
        when {registry}.hash = excluded.hash and excluded.state = 'ready'
            and not excluded.on_masters then {registry}.changed_at
        else pg_catalog.now()
    end;

-- name: drop_dependencies
delete from {dependency} where task = any (%(tasks)s);

-- name: put_dependencies
insert into {dependency} (task, master) values %s;

-- name: unregister
-- Removes tasks. One that stays and depends on them is faulty until its files are read anew.
with gone as (
    delete from {registry} where task = any (%(tasks)s) returning task
), orphaned as (
    update {registry} t set state = 'faulty',
        fault = 'depends on ' || d.master || ', which is no longer registered'
    from {dependency} d
    where d.task = t.task and d.master = any (%(tasks)s) and t.task <> all (%(tasks)s)
)
select task from gone order by task;

-- name: set_state
update {registry} set state = %(state)s, fault = null where task = any (%(tasks)s);

-- name: set_faults
update {registry} t set state = 'faulty', fault = v.fault
from (values %s) as v (task, fault) where t.task = v.task;

-- name: names
select task from {registry} order by task;

-- name: due_crons
-- Cron tasks whose time has come: their next time is to be set.
select task, cron from {registry} where next_cron_at <= %(now)s;

-- name: set_next_cron
update {registry} t set next_cron_at = v.at
from (values %s) as v (task, at) where t.task = v.task;

-- name: selectable
-- What selectors ask of a task. It has failed when its last run did, or when it is to be tried
-- again.
select t.task, t.route,
    array(select pg_catalog.json_array_elements_text(coalesce(t.definition -> 'tags', '[]'))),
    coalesce(t.last_status = 'failed', false) or exists (
        select from {agenda} a where a.task = t.task and a.status = 'waiting' and a.tries > 0),
    array(select d.master from {dependency} d where d.task = t.task order by d.master)
from {registry} t order by t.task;

-- name: overrides
-- Each override with whether its task is registered, and the day parts that it names.
select o.task, t.task is not null, coalesce(o.day_parts, '{{}}')
from {override} o left join {registry} t on t.task = o.task order by o.task;

-- name: put_overrides
-- Overrides of another registry; those that an operator made here stay.
insert into {override} (task, pause, timeout, blacklisted, day_parts, note) values %s
on conflict (task) do nothing;

-- name: take_last_runs
-- When another registry's tasks ran last, so that not all are due at once.
update {registry} t set changed_at = v.started, last_started_at = v.started,
    last_ended_at = v.ended, last_done_at = v.ended
from (values %s) as v (task, started, ended)
where t.task = v.task and t.last_ended_at is null and t.state = 'ready';
