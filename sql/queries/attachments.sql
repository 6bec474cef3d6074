-- What belongs to a table beside its columns and rows, mostly as the statements that make it for
-- another: storage options, constraints, indexes, statistics, and details.

-- name: constraints
-- Keys, exclusions and references, in the order in which they can be made. With the table's schema
-- first in search_path a reference to the table itself names it without its schema.
select conname, pg_catalog.pg_get_constraintdef(oid)
from pg_constraint
where conrelid = %(oid)s::oid and contype in ('p', 'u', 'x', 'f')
order by position(contype::text in 'puxf'), conname;

-- name: add_constraint
alter table {table} add constraint {name} {definition};

-- name: indexes
-- Indexes that belong to no constraint. With the table's schema first in search_path the
-- definition names the table without its schema.
select pg_catalog.pg_get_indexdef(i.indexrelid, 0, true)
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
select pg_catalog.format('comment on constraint %%I on %%I.%%I is %%L',
    k.conname, %(schema)s, t.relname, d.description)
from target t join pg_constraint k on k.conrelid = t.oid
join pg_description d on d.objoid = k.oid and d.classoid = 'pg_constraint'::regclass
union all
select pg_catalog.format('comment on column %%I.%%I.%%I is %%L',
    %(schema)s, t.relname, c.attname, d.description)
from target t, columns c
join pg_description d on d.objoid = %(oid)s::oid and d.classoid = 'pg_class'::regclass and d.objsubid = c.attnum
union all
select pg_catalog.format('comment on index %%I.%%I is %%L', %(schema)s, i.relname, d.description)
from indexes i join pg_description d on d.objoid = i.oid and d.classoid = 'pg_class'::regclass
union all
select pg_catalog.format('alter table %%I.%%I cluster on %%I', %(schema)s, t.relname, i.relname)
from target t, indexes i where i.indisclustered
union all
select pg_catalog.format('alter table %%I.%%I alter column %%I set statistics %%s',
    %(schema)s, t.relname, attname, attstattarget)
from target t, columns where attstattarget >= 0
union all
select pg_catalog.format('alter table %%I.%%I alter column %%I set (%%s)',
    %(schema)s, t.relname, attname, pg_catalog.array_to_string(attoptions, ', '))
from target t, columns where attoptions is not null;

-- name: statistics
-- What makes each of the table's extended statistics for the new one, in its schema; and what gives
-- it the old one's place and properties, once the old one is dropped.
select pg_catalog.format('create statistics %%I.%%I %%s on %%s from %%I.%%I', %(schema)s, s.stxname,
        (select '(' || pg_catalog.string_agg(case kind when 'd' then 'ndistinct' when 'f' then 'dependencies'
            else 'mcv' end, ', ') || ')' from pg_catalog.unnest(s.stxkind) kind where kind <> 'e'),
        pg_catalog.pg_get_statisticsobjdef_columns(s.oid), %(schema)s, t.relname),
    pg_catalog.array_remove(array[
        pg_catalog.format('alter statistics %%I.%%I set schema %%I', %(schema)s, s.stxname, n.nspname),
        pg_catalog.format('alter statistics %%I.%%I set statistics ', n.nspname, s.stxname)
            || nullif(s.stxstattarget, -1),
        pg_catalog.format('comment on statistics %%I.%%I is ', n.nspname, s.stxname)
            || pg_catalog.quote_literal(pg_catalog.obj_description(s.oid, 'pg_statistic_ext')),
        pg_catalog.format('alter statistics %%I.%%I owner to %%I',
            n.nspname, s.stxname, pg_catalog.pg_get_userbyid(s.stxowner))
    ], null)
from pg_statistic_ext s join pg_class t on t.oid = s.stxrelid
join pg_namespace n on n.oid = s.stxnamespace
where s.stxrelid = %(oid)s::oid;

-- name: options
-- Storage options, those for long values too; no row when there are none.
select pg_catalog.array_agg(option) from (
    select pg_catalog.unnest(reloptions) as option from pg_class where oid = %(oid)s::oid
    union all
    select 'toast.' || pg_catalog.unnest(x.reloptions)
    from pg_class c join pg_class x on x.oid = c.reltoastrelid
    where c.oid = %(oid)s::oid) as options
having pg_catalog.count(*) > 0;
