-- What must hold for a table; each gives the offending rows.

-- name: where
-- The rows that a check looks at. A comment at the end of the condition ends with its line.
(select * from {table} where ({condition}
))

-- name: unique
select {columns}, pg_catalog.count(*) as times from {rows} as checked
group by {columns} having pg_catalog.count(*) > 1 limit {most};

-- name: not_null
select * from {rows} as checked where {missing} limit {most};

-- name: accepted_values
select {column}, pg_catalog.count(*) as times from {rows} as checked
where {column} not in ({values})
group by {column} order by times desc limit {most};

-- name: relationships
select {column}, pg_catalog.count(*) as times from {rows} as checked
where {column} is not null and not exists (
    select from {other} as other where other.{its} = checked.{column})
group by {column} order by times desc limit {most};

-- name: expression
select * from {rows} as checked where not ({condition}
) limit {most};

-- name: row_count
select pg_catalog.count(*) as rows from {rows} as checked;

-- name: fresh_within
select pg_catalog.max({column}) as newest from {rows} as checked
having (pg_catalog.max({column}) >= pg_catalog.clock_timestamp() - {age}) is not true;
