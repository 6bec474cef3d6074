-- A table built aside replaces another and keeps what belongs to it: indexes, keys,
-- grants, owner, comments, and the views that read it.

-- name: hindrance
-- What a table has that a new one could not take over; no row: it can be swapped. as_partition: it
-- is to be swapped for another partition, which gets from its parent what its parent has.
with target as (
    select c.* from pg_class c where c.oid = %(oid)s::oid
), found as (
    select case when relkind = 'p' then 'has partitions'
        when relispartition and not %(as_partition)s then 'is a partition'
        when relhassubclass then 'has tables that inherit from it'
        when relpersistence = 'u' then 'is unlogged' else 'is not an ordinary table' end as why
    from target
    where relkind <> 'r' or relispartition and not %(as_partition)s or relhassubclass or reloftype <> 0 or relpersistence <> 'p'
    union all select 'has row security' from target where relrowsecurity
    union all select 'has a replica identity' from target where relreplident <> 'd'
    union all select 'has its own tablespace' from target where reltablespace <> 0
    union all
    select 'belongs to the role ' || pg_catalog.pg_get_userbyid(relowner) from target
    where relowner <> current_user::regrole and not (pg_catalog.pg_has_role(relowner, 'usage')
        and pg_catalog.has_schema_privilege(relowner, relnamespace, 'create'))
    union all
    select 'is in the publication ' || p.pubname
    from target t join pg_namespace n on n.oid = t.relnamespace
    join pg_publication_tables p on p.schemaname = n.nspname and p.tablename = t.relname
    union all
    select 'has parents' from pg_inherits where inhrelid = %(oid)s::oid and not %(as_partition)s
    union all
    select 'has the trigger ' || tgname from pg_trigger
    where tgrelid = %(oid)s::oid and not tgisinternal and not (%(as_partition)s and tgparentid <> 0)
    union all
    select case when classid = 'pg_class'::regclass and (select relkind from pg_class where oid = objid) = 'S'
        then 'has the ' else 'is read by ' end || pg_catalog.pg_describe_object(classid, objid, 0)
    from pg_depend d
    where refclassid = 'pg_class'::regclass and refobjid = %(oid)s::oid
    and not (deptype in ('i', 'a') and classid in (
        'pg_type'::regclass, 'pg_attrdef'::regclass, 'pg_statistic_ext'::regclass))
    and not (classid = 'pg_class'::regclass and exists (
        select from pg_class x where x.oid = objid and x.relkind in ('i', 't')))
    and not (classid = 'pg_constraint'::regclass and exists (
        select from pg_constraint x where x.oid = objid and x.conrelid = %(oid)s::oid))
    and not (classid = 'pg_attrdef'::regclass and exists (
        select from pg_attrdef x where x.oid = objid and x.adrelid = %(oid)s::oid))
    and not (classid = 'pg_rewrite'::regclass and exists (
        select from pg_rewrite w join pg_class v on v.oid = w.ev_class
        where w.oid = objid and v.relkind = 'v'))
    union all
    select 'is read by the view ' || v.oid::regclass || ', which is another role''s'
    from pg_class v
    where v.relkind = 'v' and v.oid in (
        select w.ev_class from pg_depend d join pg_rewrite w on w.oid = d.objid
        where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass
        and d.refobjid = %(oid)s::oid)
    and not (pg_catalog.pg_has_role(v.relowner, 'usage')
        and pg_catalog.has_schema_privilege(v.relnamespace, 'usage')
        and pg_catalog.has_schema_privilege(v.relnamespace, 'create'))
    union all
    select 'has a type that ' || pg_catalog.pg_describe_object(classid, objid, objsubid) || ' uses'
    from pg_depend d
    where refclassid = 'pg_type'::regclass and deptype <> 'i'
    and refobjid in (
        select t.oid from pg_type t where t.typrelid = %(oid)s::oid
        union all
        select t.typarray from pg_type t where t.typrelid = %(oid)s::oid)
    union all
    select 'cannot be built aside: the role ' || current_user || ' may not make a schema in the database '
        || pg_catalog.current_database()
    where not pg_catalog.has_database_privilege(pg_catalog.current_database(), 'create')
)
select why from found limit 1;

-- name: create_schema
create schema {schema};

-- name: drop_schema
drop schema {schema};

-- name: create_like
create table {aside} (
    like {table} including all excluding comments excluding indexes excluding statistics);

-- name: views
-- The views that read a table, with what they need to be made again.
select v.oid::bigint, n.nspname, v.relname, pg_catalog.pg_get_viewdef(v.oid), v.reloptions
from pg_class v join pg_namespace n on n.oid = v.relnamespace
where v.relkind = 'v' and v.oid in (
    select w.ev_class from pg_depend d join pg_rewrite w on w.oid = d.objid
    where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass
    and d.refobjid = %(oid)s::oid)
order by v.oid;

-- name: replace_view
create or replace view {view} {options} as {query};

-- name: lock_first
-- Statements that lock what a swap needs beside the table: the views that read it, which get the
-- owner that they have, and the tables that its foreign keys refer to.
select pg_catalog.format('alter view %%I.%%I owner to %%I',
    n.nspname, v.relname, pg_catalog.pg_get_userbyid(v.relowner))
from pg_class v join pg_namespace n on n.oid = v.relnamespace
where v.relkind = 'v' and v.oid in (
    select w.ev_class from pg_depend d join pg_rewrite w on w.oid = d.objid
    where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass
    and d.refobjid = %(oid)s::oid)
union all
select distinct pg_catalog.format('lock table %%I.%%I in access exclusive mode', n.nspname, r.relname)
from pg_constraint k join pg_class r on r.oid = k.confrelid join pg_namespace n on n.oid = r.relnamespace
where k.conrelid = %(oid)s::oid and k.contype = 'f' and k.confrelid <> k.conrelid
and pg_catalog.has_table_privilege(r.oid, 'update, delete, truncate');

-- name: lock
lock table {table} in access exclusive mode;

-- name: move
alter table {table} set schema {schema};

-- name: lock_timeout
select pg_catalog.set_config('lock_timeout', %(timeout)s, true);
