-- A task's query inside another one of its source. It stands on lines of its own, since it may end
-- in a comment; and there is no `as` before its name, which Oracle would refuse.

-- name: where
select {columns} from (
{query}
) dapu_query where {condition};

-- name: columns
select {columns} from (
{query}
) dapu_query;

-- name: highest
-- {schema} is `pg_catalog.` in PostgreSQL, and nothing elsewhere.
select {schema}max(dapu_query.{column}) from (
{query}
) dapu_query;

-- name: no_rows
-- For the columns alone.
select * from (
{query}
) dapu_query where 1 = 0;
