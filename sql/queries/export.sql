-- The way out: a query of the warehouse that becomes a file. Its text begins on the first line of a
-- statement, below no comment, so that the line of an error is that of the query's own file.
--
-- no_rows: for the columns alone. json_lines: each row as JSON in one line, though a value of type
-- json may have several. declare, fetch, close: rows in pieces. now: when the transaction began.

-- name: no_rows
select * from ({query}
) as dapu_query limit 0;

-- name: json_lines
select pg_catalog.translate(pg_catalog.row_to_json(dapu_query)::text, E'\n\r', '  ') from ({query}
) as dapu_query;

-- name: declare
declare dapu_export no scroll cursor for {query};

-- name: fetch
fetch forward %(rows)s from dapu_export;

-- name: close
close dapu_export;

-- name: now
select pg_catalog.now();
