-- A table built aside takes the place of another and keeps what belongs to it: indexes, keys,
-- grants, owner, comments, and the views that read it.

-- name: hindrance
-- What a table has that a new one could not take over; no row: it can be swapped.
with target as (
    select c.* from pg_class c where c.oid = %(oid)s::oid
), found as (
    select case when relkind = 'p' then 'has partitions' when relispartition then 'is a partition'
        when relhassubclass then 'has tables that inherit from it'
        when relpersistence = 'u' then 'is unlogged' else 'is not an ordinary table' end as why
    from target
    where relkind <> 'r' or relispartition or relhassubclass or reloftype <> 0 or relpersistence <> 'p'
    union all select 'has row security' from target where relrowsecurity
    union all select 'has a replica identity' from target where relreplident <> 'd'
    union all select 'has its own tablespace' from target where reltablespace <> 0
    union all
    select 'belongs to the role ' || pg_get_userbyid(relowner) from target
    where relowner <> current_user::regrole and not (pg_has_role(relowner, 'usage')
        and has_schema_privilege(relowner, relnamespace, 'create'))
    union all
    select 'is in the publication ' || p.pubname
    from target t join pg_namespace n on n.oid = t.relnamespace
    join pg_publication_tables p on p.schemaname = n.nspname and p.tablename = t.relname
    union all
    select 'has parents' from pg_inherits where inhrelid = %(oid)s::oid
    union all
    select 'has the trigger ' || tgname from pg_trigger
    where tgrelid = %(oid)s::oid and not tgisinternal
    union all
    select case when classid = 'pg_class'::regclass and (select relkind from pg_class where oid = objid) = 'S'
        then 'has the ' else 'is read by ' end || pg_describe_object(classid, objid, 0)
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
    and not (pg_has_role(v.relowner, 'usage')
        and has_schema_privilege(v.relnamespace, 'usage')
        and has_schema_privilege(v.relnamespace, 'create'))
    union all
    select 'has a type that ' || pg_describe_object(classid, objid, objsubid) || ' uses'
    from pg_depend d
    where refclassid = 'pg_type'::regclass and deptype <> 'i'
    and refobjid in (
        select t.oid from pg_type t where t.typrelid = %(oid)s::oid
        union all
        select t.typarray from pg_type t where t.typrelid = %(oid)s::oid)
    union all
    select 'cannot be built aside: the role ' || current_user || ' may not make a schema in the database '
        || current_database()
    where not has_database_privilege(current_database(), 'create')
)
select why from found limit 1;

-- name: cascades
-- Foreign keys by which rows of other tables change when rows of this one are deleted, even if
-- these come back at once. itself: whether the table's own count too.
select k.conrelid::regclass::text, k.conname, k.confdeltype = 'c'
from pg_constraint k
where k.confrelid = %(oid)s::oid and k.contype = 'f' and k.confdeltype in ('c', 'n', 'd')
and k.conparentid = 0 and (k.conrelid <> k.confrelid or %(itself)s)
limit 1;

-- name: create_schema
create schema {schema};

-- name: drop_schema
drop schema {schema};

-- name: create_like
create table {aside} (
    like {table} including all excluding comments excluding indexes excluding statistics);

-- name: search_path
select set_config('search_path', %(path)s, true);

-- name: current_search_path
select current_setting('search_path');

-- name: constraints
-- Keys, exclusions and references, in the order in which they can be made. With the table's schema
-- first in search_path a reference to the table itself names it without its schema.
select conname, pg_get_constraintdef(oid)
from pg_constraint
where conrelid = %(oid)s::oid and contype in ('p', 'u', 'x', 'f')
order by position(contype::text in 'puxf'), conname;

-- name: add_constraint
alter table {table} add constraint {name} {definition};

-- name: indexes
-- Indexes that belong to no constraint. With the table's schema first in search_path the
-- definition names the table without its schema.
select pg_get_indexdef(i.indexrelid, 0, true)
from pg_index i
where i.indrelid = %(oid)s::oid
and not exists (
    select from pg_constraint c
    where c.conindid = i.indexrelid and c.conrelid = i.indrelid and c.contype in ('p', 'u', 'x'))
order by i.indexrelid;

-- name: details
-- Statements that give the new table what else belongs to the old one: comments on its columns,
-- constraints and indexes, how its columns are sampled, the index that CLUSTER goes by.
with target as (
    select * from pg_class where oid = %(oid)s::oid
), columns as (
    select attnum, attname, attstattarget, attoptions from pg_attribute
    where attrelid = %(oid)s::oid and attnum > 0 and not attisdropped
), indexes as (
    select x.oid, x.relname, i.indisclustered
    from pg_index i join pg_class x on x.oid = i.indexrelid where i.indrelid = %(oid)s::oid
)
select format('comment on constraint %%I on %%I.%%I is %%L', k.conname, %(schema)s, t.relname, d.description)
from target t join pg_constraint k on k.conrelid = t.oid
join pg_description d on d.objoid = k.oid and d.classoid = 'pg_constraint'::regclass
union all
select format('comment on column %%I.%%I.%%I is %%L', %(schema)s, t.relname, c.attname, d.description)
from target t, columns c
join pg_description d on d.objoid = %(oid)s::oid and d.classoid = 'pg_class'::regclass and d.objsubid = c.attnum
union all
select format('comment on index %%I.%%I is %%L', %(schema)s, i.relname, d.description)
from indexes i join pg_description d on d.objoid = i.oid and d.classoid = 'pg_class'::regclass
union all
select format('alter table %%I.%%I cluster on %%I', %(schema)s, t.relname, i.relname)
from target t, indexes i where i.indisclustered
union all
select format('alter table %%I.%%I alter column %%I set statistics %%s', %(schema)s, t.relname, attname, attstattarget)
from target t, columns where attstattarget >= 0
union all
select format('alter table %%I.%%I alter column %%I set (%%s)', %(schema)s, t.relname, attname, array_to_string(attoptions, ', '))
from target t, columns where attoptions is not null;

-- name: statistics
-- What makes each of the table's extended statistics for the new one, in its schema; and what gives
-- it the old one's place and properties, once the old one is gone.
select format('create statistics %%I.%%I %%s on %%s from %%I.%%I', %(schema)s, s.stxname,
        (select '(' || string_agg(case kind when 'd' then 'ndistinct' when 'f' then 'dependencies'
            else 'mcv' end, ', ') || ')' from unnest(s.stxkind) kind where kind <> 'e'),
        pg_get_statisticsobjdef_columns(s.oid), %(schema)s, t.relname),
    array_remove(array[
        format('alter statistics %%I.%%I set schema %%I', %(schema)s, s.stxname, n.nspname),
        format('alter statistics %%I.%%I set statistics ', n.nspname, s.stxname)
            || nullif(s.stxstattarget, -1),
        format('comment on statistics %%I.%%I is ', n.nspname, s.stxname)
            || quote_literal(obj_description(s.oid, 'pg_statistic_ext')),
        format('alter statistics %%I.%%I owner to %%I', n.nspname, s.stxname, pg_get_userbyid(s.stxowner))
    ], null)
from pg_statistic_ext s join pg_class t on t.oid = s.stxrelid
join pg_namespace n on n.oid = s.stxnamespace
where s.stxrelid = %(oid)s::oid;

-- name: properties
-- Owner, storage options and comment.
select pg_get_userbyid(relowner), reloptions, obj_description(oid, 'pg_class')
from pg_class where oid = %(oid)s::oid;

-- name: options
-- Storage options, those for long values too; no row when there are none.
select array_agg(option) from (
    select unnest(reloptions) as option from pg_class where oid = %(oid)s::oid
    union all
    select 'toast.' || unnest(x.reloptions) from pg_class c join pg_class x on x.oid = c.reltoastrelid
    where c.oid = %(oid)s::oid) as options
having count(*) > 0;

-- name: grants
-- Privileges on the table (column is null) and on its columns; grantee null is PUBLIC.
select null::name as column_name, pg_get_userbyid(nullif(a.grantee, 0)), a.privilege_type, a.is_grantable
from pg_class c cross join aclexplode(c.relacl) a
where c.oid = %(oid)s::oid
union all
select t.attname, pg_get_userbyid(nullif(a.grantee, 0)), a.privilege_type, a.is_grantable
from pg_attribute t cross join aclexplode(t.attacl) a
where t.attrelid = %(oid)s::oid and t.attnum > 0 and not t.attisdropped;

-- name: revoke_all
revoke all on {table} from {role};

-- name: grant
grant {privilege} on {table} to {role};

-- name: set_owner
alter table {table} owner to {role};

-- name: set_options
alter table {table} set ({options});

-- name: set_comment
comment on {kind} {table} is %(comment)s;

-- name: views
-- The views that read a table, with what they need to be made again.
select v.oid::bigint, n.nspname, v.relname, pg_get_viewdef(v.oid), v.reloptions
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
select format('alter view %%I.%%I owner to %%I', n.nspname, v.relname, pg_get_userbyid(v.relowner))
from pg_class v join pg_namespace n on n.oid = v.relnamespace
where v.relkind = 'v' and v.oid in (
    select w.ev_class from pg_depend d join pg_rewrite w on w.oid = d.objid
    where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass
    and d.refobjid = %(oid)s::oid)
union all
select distinct format('lock table %%I.%%I in access exclusive mode', n.nspname, r.relname)
from pg_constraint k join pg_class r on r.oid = k.confrelid join pg_namespace n on n.oid = r.relnamespace
where k.conrelid = %(oid)s::oid and k.contype = 'f' and k.confrelid <> k.conrelid
and has_table_privilege(r.oid, 'update, delete, truncate');

-- name: lock
lock table {table} in access exclusive mode;

-- name: move
alter table {table} set schema {schema};

-- name: lock_timeout
select set_config('lock_timeout', %(timeout)s, true);
