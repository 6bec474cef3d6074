-- What PostGIS has brought into the warehouse.

-- name: type
-- The name of the type `geometry` as the session must write it; no row without PostGIS.
select pg_catalog.format_type(t.oid, null)
from pg_extension e
join pg_depend d on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid
    and d.classid = 'pg_type'::regclass
join pg_type t on t.oid = d.objid
where e.extname = 'postgis' and t.typname = 'geometry';
