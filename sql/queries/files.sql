-- Rows that came from files; those of a member of an archive have `archive/member` in {file}.

-- name: delete_rows
-- The rows of these files.
delete from {table} where exists (
    select from unnest(%(names)s::text[]) as n where {file} = n or starts_with({file}, n || '/'));

-- name: has_rows
-- Whether any row of these files is there.
select exists (
    select from {table}, unnest(%(names)s::text[]) as n
    where {file} = n or starts_with({file}, n || '/'));
