-- The queue of groups of views, and the views that were made.

-- name: intact
-- The groups that were made and whose views are all there still, each with its hash.
select g.key, g.hash from {view_group} g
where g.task = %(task)s and g.status = 'done'
and not exists (
    select from {made_view} m
    where m.task = g.task and m.key = g.key
    and not exists (select from pg_class c where c.oid = m.oid));

-- name: put
-- Queues groups; replaces what was known of them.
insert into {view_group} as g (task, key, status, hash, view_count, views, message)
values %s
on conflict (task, key) do update set
    status = excluded.status, hash = excluded.hash, view_count = excluded.view_count,
    views = excluded.views, tries = 0, not_before = pg_catalog.now(), message = excluded.message,
    statement = null, queued_at = pg_catalog.now(), ended_at = null;

-- name: take
-- The next group that may be made now, which stays this session's until its transaction ends.
-- The index keeps entries of groups that are done until vacuum: no session looks at one twice.
select key, position, hash, views from {view_group}
where task = %(task)s and status = 'waiting' and position > %(after)s
and not_before <= pg_catalog.clock_timestamp()
order by position
limit 1
for update skip locked;

-- name: wait
-- In how many seconds the next group of those still waiting may be made; null when there is none.
select extract(epoch from pg_catalog.min(not_before) - pg_catalog.clock_timestamp())::float8
from {view_group} where task = %(task)s and status = 'waiting';

-- name: present
-- What there is of a group: of each name that it wants, the kind of relation and who made it with
-- which hash, and the views that it has and no longer wants.
select w.name, c.oid, c.relkind, m.task, m.key, m.hash
from pg_catalog.unnest(%(names)s::text[]) as w (name)
left join pg_class c on c.relname = w.name
    and c.relnamespace = (select n.oid from pg_namespace n where n.nspname = %(schema)s)
left join {made_view} m on m.schema_name = %(schema)s and m.view_name = w.name and m.oid = c.oid;

-- name: unwanted
-- The views of a group that exist and that it no longer wants.
select m.schema_name, m.view_name
from {made_view} m
join pg_class c on c.oid = m.oid and c.relkind = 'v' and c.relname = m.view_name
join pg_namespace n on n.oid = c.relnamespace and n.nspname = m.schema_name
where m.task = %(task)s and m.key = %(key)s
and not (m.schema_name = %(schema)s and m.view_name = any (%(names)s));

-- name: done
-- A group is made: its views are the task's own.
with gone as (
    delete from {made_view} m
    where m.task = %(task)s and m.key = %(key)s
    and not (m.schema_name = %(schema)s and m.view_name = any (%(names)s))
), made as (
    insert into {made_view} as m (schema_name, view_name, oid, task, key, hash)
    select n.nspname, c.relname, c.oid, %(task)s, %(key)s, v.hash
    from unnest(%(names)s::text[], %(hashes)s::text[]) as v (name, hash)
    join pg_namespace n on n.nspname = %(schema)s
    join pg_class c on c.relname = v.name and c.relnamespace = n.oid
    on conflict (schema_name, view_name) do update set
        oid = excluded.oid, task = excluded.task, key = excluded.key, hash = excluded.hash,
        made_at = pg_catalog.now()
    where (m.oid, m.hash, m.task, m.key)
        is distinct from (excluded.oid, excluded.hash, excluded.task, excluded.key)
)
update {view_group} set
    status = 'done', views = null, message = null, statement = null, ended_at = pg_catalog.clock_timestamp()
where task = %(task)s and key = %(key)s;

-- name: made_elsewhere
-- The groups that were made in another database, with their hashes and numbers of views.
select key, hash, view_count from {view_group} where task = %(task)s and status = 'done';

-- name: done_elsewhere
-- A group is made in another database, which knows whose its views are.
update {view_group} set
    status = 'done', views = null, message = null, statement = null, ended_at = pg_catalog.clock_timestamp()
where task = %(task)s and key = %(key)s;

-- name: failed
-- A group could not be made: it waits for its next try while it has one, and keeps the reason.
update {view_group} set
    tries = tries + 1,
    status = case when tries + 1 < %(most)s then 'waiting' else 'failed' end,
    not_before = pg_catalog.clock_timestamp() + %(wait)s * 2 ^ tries,
    message = %(message)s, statement = %(statement)s, ended_at = pg_catalog.clock_timestamp()
where task = %(task)s and key = %(key)s
returning status;

-- name: failures
-- The groups of a task that could not be made.
select key, message, statement from {view_group}
where task = %(task)s and status = 'failed' order by position;

-- name: own
-- The views of a task that exist; of these keys only, where some are given.
select m.key, m.schema_name, m.view_name
from {made_view} m
join pg_class c on c.oid = m.oid and c.relkind = 'v' and c.relname = m.view_name
join pg_namespace n on n.oid = c.relnamespace and n.nspname = m.schema_name
where m.task = %(task)s and (%(keys)s::text[] is null or m.key = any (%(keys)s))
order by m.key, c.oid desc;

-- name: forget_views
delete from {made_view}
where task = %(task)s and (%(keys)s::text[] is null or key = any (%(keys)s));

-- name: forget_groups
delete from {view_group}
where task = %(task)s and (%(keys)s::text[] is null or key = any (%(keys)s));
