-- How tables changed.

-- name: add
insert into {schema_change} (task, job, change)
select %(task)s, %(job)s, c.change
from pg_catalog.unnest(%(changes)s::text[]) with ordinality c (change, place) order by c.place;

-- name: of_task
-- What loads changed of a table, and the steps of its ver/, the newest first.
select c.at, c.job, c.change from (
    select s.at, s.job, s.change, s.number from {schema_change} s where s.task = %(task)s
    union all
    select m.applied_at, null, m.name, m.number from {migration} m where m.scope = %(task)s) c
order by c.at desc, c.number desc limit %(most)s;

-- name: prune
-- What is older, but for the fifty newest of a task.
delete from {schema_change} c
where c.at < pg_catalog.now() - %(age)s
and c.number < (
    select pg_catalog.min(x.number) from (
        select number from {schema_change} y
        where y.task = c.task order by number desc limit 50) x);
