-- What must hold for a table; each gives the offending rows.

-- name: unique
select {columns}, pg_catalog.count(*) as times from {table}
group by {columns} having pg_catalog.count(*) > 1 limit {most};

-- name: not_null
select * from {table} where {missing} limit {most};
