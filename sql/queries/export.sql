-- The way out: a query of the warehouse that becomes a file. Its text begins on the first line of
-- each statement, so that the line of an error is that of the query's own file.

-- name: no_rows
-- For the columns alone.
select * from ({query}
) as dapu_query limit 0;

-- name: json_lines
-- Each row as JSON in one line; a value of type json may be written over several.
select translate(row_to_json(dapu_query)::text, E'\n\r', '  ') from ({query}
) as dapu_query;

-- name: declare
-- Rows that are fetched in pieces.
declare dapu_export no scroll cursor for {query};

-- name: fetch
fetch forward %(rows)s from dapu_export;

-- name: close
close dapu_export;

-- name: now
-- When the transaction began, as now() and current_date have it.
select now();
