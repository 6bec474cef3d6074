-- Views that are made again, since a column that they read gets another type.

-- name: readers
-- The views that read some columns of a table, and those that read them, in the order in which
-- they can be made.
with recursive views as (
    select w.ev_class as oid, d.refobjid as source, d.refobjsubid as number
    from pg_depend d join pg_rewrite w on w.oid = d.objid join pg_class v on v.oid = w.ev_class
    where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass
    and v.relkind = 'v' and d.refobjid <> w.ev_class
), readers (oid, depth) as (
    select views.oid, 1 from views
    join pg_attribute a on a.attrelid = views.source and a.attnum = views.number
    where views.source = %(oid)s::oid and a.attname = any (%(columns)s::name[])
    union
    select views.oid, r.depth + 1 from readers r join views on views.source = r.oid
)
select v.oid::bigint, n.nspname, v.relname, pg_catalog.pg_get_viewdef(v.oid)
from (select oid, pg_catalog.max(depth) as depth from readers group by oid) as r
join pg_class v using (oid) join pg_namespace n on n.oid = v.relnamespace
order by r.depth, v.oid;

-- name: not_made_again
-- What would be lost with views that are dropped.
select pg_catalog.format('the view %%s has %%s',
    w.ev_class::regclass, pg_catalog.pg_describe_object('pg_rewrite'::regclass, w.oid, 0))
from pg_rewrite w where w.ev_class = any (%(oids)s::oid[]) and w.rulename <> '_RETURN'
union all
select pg_catalog.format('the view %%s has %%s',
    t.tgrelid::regclass, pg_catalog.pg_describe_object('pg_trigger'::regclass, t.oid, 0))
from pg_trigger t where t.tgrelid = any (%(oids)s::oid[]) and not t.tgisinternal
union all
select pg_catalog.format('the view %%s has a security label', l.objoid::regclass)
from pg_seclabel l where l.classoid = 'pg_class'::regclass and l.objoid = any (%(oids)s::oid[]);

-- name: columns
-- Statements that give the columns of a view their comments and defaults.
select pg_catalog.format('comment on column %%I.%%I.%%I is %%L',
    n.nspname, v.relname, a.attname, d.description)
from pg_class v join pg_namespace n on n.oid = v.relnamespace
join pg_attribute a on a.attrelid = v.oid
join pg_description d on d.objoid = v.oid and d.classoid = 'pg_class'::regclass and d.objsubid = a.attnum
where v.oid = %(oid)s::oid
union all
select pg_catalog.format('alter view %%I.%%I alter column %%I set default %%s',
    n.nspname, v.relname, a.attname,
    pg_catalog.pg_get_expr(d.adbin, d.adrelid))
from pg_class v join pg_namespace n on n.oid = v.relnamespace
join pg_attribute a on a.attrelid = v.oid
join pg_attrdef d on d.adrelid = v.oid and d.adnum = a.attnum
where v.oid = %(oid)s::oid;
