-- Helper views over the documents of Execute in PostgreSQL.

-- name: latest_all_versions
-- The newest batch of each version.
select d.batch_date, d.type, d.id, d.version, d.chunk, d.author, d.date, d.deleted, d.data
from {documents} d
where not exists (
    select from {documents} n
    where n.type = d.type and n.id = d.id and n.version = d.version
    and n.batch_date > d.batch_date);

-- name: latest
-- The newest version of each document.
select d.batch_date, d.type, d.id, d.version, d.chunk, d.author, d.date, d.deleted, d.data
from {current} c
join {documents} d on d.type = c.type and d.id = c.id and d.version = c.version
    and d.batch_date = c.batch_date;

-- name: of_documents
-- One row a document. The join is one that PostgreSQL leaves out when no field is asked for, so
-- that counting documents reads the narrow table only.
select {columns}
from {current} c
left join {documents} d on d.type = c.type and d.id = c.id and d.version = c.version
    and d.batch_date = c.batch_date and d.chunk = 0
where c.type = {type};

-- name: of_lists
-- One row an item.
select {columns}
from {current} c
join {documents} d on d.type = c.type and d.id = c.id and d.version = c.version
    and d.batch_date = c.batch_date
{lists}
where c.type = {type};

-- name: items
cross join lateral pg_catalog.jsonb_array_elements(
    case when pg_catalog.jsonb_typeof({list}) = 'array' then {list} end) as {alias}(item)

-- name: zoned
-- A time without a zone is in UTC, whatever the zone of the session that asks.
pg_catalog.regexp_replace({text}, '^([0-9]+-[0-9]+-[0-9]+([T ][0-9:.]+)?)$', '\1 UTC')

-- name: reads
-- Whether a view reads a table, itself or through other views.
with recursive reads (oid) as (
    select %(view)s::oid
    union
    select d.refobjid
    from reads r
    join pg_rewrite w on w.ev_class = r.oid
    join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
        and d.refclassid = 'pg_class'::regclass
)
select exists (select from reads where oid = %(table)s::oid);

-- name: before_extending
savepoint dapu_extend;

-- name: undo_extending
-- The view was another program's, of types unlike ours; it stays as it was.
rollback to savepoint dapu_extend;
