-- Helper views over the documents of Execute in PostgreSQL.

-- name: latest_all_versions
-- The newest batch of each version.
select d.batch_date, d.type, d.id, d.version, d.chunk, d.author, d.date, d.deleted, d.data
from {versions} v
join {documents} d on d.batch_date = v.batch_date and d.type = v.type and d.id = v.id
    and d.version = v.version;

-- name: latest
-- The newest version of each document.
select d.batch_date, d.type, d.id, d.version, d.chunk, d.author, d.date, d.deleted, d.data
from {versions} v
join {documents} d on d.batch_date = v.batch_date and d.type = v.type and d.id = v.id
    and d.version = v.version
where v.latest;

-- name: of_documents
-- One row a document. The join is one that PostgreSQL leaves out when no field is asked for, so
-- that counting documents reads the narrow table only.
select {columns}
from {versions} v
left join {documents} d on d.batch_date = v.batch_date and d.type = v.type and d.id = v.id
    and d.version = v.version and d.chunk = 0
where v.latest and v.type = {type};

-- name: of_lists
-- One row an item.
select {columns}
from {versions} v
join {documents} d on d.batch_date = v.batch_date and d.type = v.type and d.id = v.id
    and d.version = v.version
{lists}
where v.latest and v.type = {type};

-- name: items
cross join lateral jsonb_array_elements(
    case when jsonb_typeof({list}) = 'array' then {list} end) as {alias}(item)

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

-- name: drop
drop view {view};
