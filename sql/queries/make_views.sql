-- How `do: views` reads its query and makes, explains and drops views.

-- name: rows
-- The rows of a query, those of one group side by side.
select * from (
{query}
) as dapu_query order by {group};

-- name: compress_quickly
-- A third of the work of `create view` is to compress what it stores; LZ4 does it in a tenth of the
-- time, where the server was built with it.
select pg_catalog.set_config(s.name, 'lz4', false) from pg_catalog.pg_settings s
where s.name = 'default_toast_compression' and 'lz4' = any (s.enumvals);

-- name: comment
comment on view {view} is {comment};

-- name: drop
-- Not `cascade`: what somebody else built on it stays, and says so.
drop view if exists {view};
