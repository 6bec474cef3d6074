-- Periods of a table that are replaced as a whole.

-- name: create_stage
-- The rows that were read, in a table like the target.
create temporary table dapu_period on commit drop as select {columns} from {table} where false;

-- name: count
-- How many periods came.
select count(distinct date_trunc(%(by)s, {value})) from {stage};

-- name: delete
-- The target's rows of each period that came.
delete from {table} as t
using (select distinct date_trunc(%(by)s, {value}) as start from {stage}) as came
where t.{column} >= came.start and t.{column} < came.start + %(length)s::interval;
