-- How `do: views` reads its query and makes, explains and drops views.

-- name: rows
-- The rows of a query, those of one group side by side.
select * from (
{query}
) as dapu_query order by {group};

-- name: comment
comment on view {view} is {comment};

-- name: drop
-- Not `cascade`: what somebody else built on it stays, and says so.
drop view if exists {view};
