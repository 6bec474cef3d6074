-- Rows that came from files.

-- name: delete_rows
-- The rows of files, and of the members of archives.
delete from {table} where {file} = any(%(names)s)
or {file} like any(select replace(replace(replace(n, '\', '\\'), '%%', '\%%'), '_', '\_') || '/%%' from unnest(%(names)s) as n);

-- name: has_rows
-- Whether any row of these files is there.
select exists (select from {table} where {file} = any(%(names)s)
    or {file} like any(select replace(replace(replace(n, '\', '\\'), '%%', '\%%'), '_', '\_') || '/%%' from unnest(%(names)s) as n));
