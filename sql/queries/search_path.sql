-- The session's search path, changed for a moment: PostgreSQL shows names by it.

-- name: search_path
select pg_catalog.set_config('search_path', %(path)s, true);

-- name: current_search_path
select pg_catalog.current_setting('search_path');
