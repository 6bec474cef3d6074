-- Periods of a table that are replaced as a whole.

-- name: create_stage
-- The rows that were read, in a table like the target.
create temporary table dapu_period on commit drop as select {columns} from {table} where false;

-- name: count
-- How many periods came.
select pg_catalog.count(distinct pg_catalog.date_trunc(%(by)s, {value})) from {stage};

-- name: delete
-- The target's rows of each period that came. The bounds are for an index; infinity, which is not an end
-- of anything, is a period too.
delete from {table}
where pg_catalog.date_trunc(%(by)s, {value}) in (select pg_catalog.date_trunc(%(by)s, {value}) from {stage})
and {column} >= (select pg_catalog.date_trunc(%(by)s, pg_catalog.min({value})) from {stage})
and {column} <= (select pg_catalog.date_trunc(%(by)s, pg_catalog.max({value})) + %(length)s::interval
    from {stage});
