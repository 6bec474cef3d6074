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
update {part} set rows = %(rows)s, done_at = pg_catalog.now(), job = %(job)s
where task = %(task)s and action = %(action)s and number = %(number)s and plan = %(plan)s
and rows is null
returning number;

-- name: forget
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
