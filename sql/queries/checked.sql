-- What checks found.

-- name: add
insert into {checked} (task, "check", job, fault, count)
values (%(task)s, %(check)s, %(job)s, %(fault)s, %(count)s);

-- name: counts
select count from {checked}
where task = %(task)s and "check" = %(check)s and count is not null
order by number desc limit 10;

-- name: prune
delete from {checked} c
where c.at < pg_catalog.now() - %(age)s
and c.number < (
    select pg_catalog.min(x.number) from (
        select number from {checked} y
        where y.task = c.task and y."check" = c."check" order by number desc limit 10) x);
