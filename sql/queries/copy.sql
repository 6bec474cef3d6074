-- The way in.

-- name: from_stdin
copy {table} ({columns}) from stdin with ({options});

-- name: to_stdout
copy ({query}
) to stdout with ({options});

-- name: create_whole
create temporary table {whole} ({columns}) on commit drop;

-- name: drop_read
drop table if exists pg_temp.dapu_read;

-- name: read
select {columns} from {read};
