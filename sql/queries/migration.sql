-- Steps that were applied: the registry's own, the warehouse's, and each task's.

-- name: applied
-- number, name and checksum of a scope's steps, in order.
select number, name, checksum from {migration} where scope = %(scope)s order by number;

-- name: record
insert into {migration} (scope, number, name, checksum)
values (%(scope)s, %(number)s, %(name)s, %(checksum)s);

-- name: forget
-- A table that was dropped by hand is made again from its first step.
delete from {migration} where scope = %(scope)s;
