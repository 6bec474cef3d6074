-- Steps that were applied: the registry's own, the warehouse's, and each task's.

-- name: applied
-- number, name and checksum of a scope's steps, in order.
select number, name, checksum from {migration} where scope = %(scope)s order by number;

-- name: of_tasks
-- The same of all tasks' own steps, with the scope (the task's id) in front.
select scope, number, name, checksum from {migration}
where scope not in ('registry', 'warehouse') order by scope, number;

-- name: dropped
-- Tasks whose steps were applied and whose table no longer exists: it was dropped by hand.
select distinct scope from {migration}
where scope not in ('registry', 'warehouse')
and pg_catalog.to_regclass(pg_catalog.format('%%I.%%I',
    pg_catalog.split_part(scope, '.', 2), pg_catalog.split_part(scope, '.', 3))) is null;

-- name: record
insert into {migration} (scope, number, name, checksum)
values (%(scope)s, %(number)s, %(name)s, %(checksum)s);

-- name: forget
delete from {migration} where scope = %(scope)s;

-- name: take_over
-- What a deleted task left, for the one that has its table now.
update {migration} set scope = %(task)s where scope = %(old)s;
