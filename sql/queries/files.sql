-- Rows that came from files; those of a member of an archive have `archive/member` in {file}.

-- name: delete_rows
-- The rows of these files.
delete from {table} as t where exists (
    select from pg_catalog.unnest(%(names)s::text[]) as f (name)
    where t.{file}::text = f.name or pg_catalog.starts_with(t.{file}::text, f.name || '/'));

-- name: has_rows
-- Whether any row of these files exists.
select exists (
    select from {table} as t, pg_catalog.unnest(%(names)s::text[]) as f (name)
    where t.{file}::text = f.name or pg_catalog.starts_with(t.{file}::text, f.name || '/'));
