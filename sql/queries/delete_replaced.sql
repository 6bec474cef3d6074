-- What other tables would lose when rows are deleted that come again.

-- name: cascades
-- Foreign keys by which rows of other tables change when rows of this one are deleted, even if
-- these come back at once. itself: whether the table's own count too.
select k.conrelid::regclass::text, k.conname, k.confdeltype = 'c'
from pg_constraint k
where k.confrelid = %(oid)s::oid and k.contype = 'f' and k.confdeltype in ('c', 'n', 'd')
and k.conparentid = 0 and (k.conrelid <> k.confrelid or %(itself)s)
limit 1;
