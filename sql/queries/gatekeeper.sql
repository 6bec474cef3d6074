-- Who may read what: what is granted now, and each change of it. A group is known by its comment.

-- name: mark
-- What marks this warehouse's groups among those of others in the cluster.
select 'dapu gatekeeper of ' || pg_catalog.current_database() || '.' || %(registry)s;

-- name: lock
-- Until the end of the transaction no other Gatekeeper of this warehouse looks or changes anything.
select pg_catalog.pg_advisory_xact_lock(%(key)s);

-- name: roles
-- Roles of the cluster, with their comments.
select rolname::text, coalesce(pg_catalog.shobj_description(oid, 'pg_authid'), '') from pg_roles;

-- name: members
-- Who belongs to groups, and whether they may let others in. Who made a group belongs to it by that
-- (PostgreSQL 16 and newer).
select g.rolname::text, m.rolname::text, pg_catalog.bool_or(a.admin_option)
from pg_auth_members a join pg_roles g on g.oid = a.roleid join pg_roles m on m.oid = a.member
where g.rolname = any(%(roles)s) and not (m.rolname = current_user and a.admin_option)
group by 1, 2;

-- name: schemas
-- Schemas that are not PostgreSQL's own, nor there for a moment while a load runs.
select nspname::text from pg_namespace
where nspname !~ '^(pg_|dapu_(new|old)_)' and nspname <> 'information_schema';

-- name: tables
-- Tables, views and what else can be read, with their columns and the types of these; without the
-- masked views.
select n.nspname::text, c.relname::text, c.relkind in ('r', 'p'), array(
    select array[a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod)]
    from pg_attribute a
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f')
and n.nspname !~ '^(pg_|dapu_(new|old)_)' and n.nspname <> 'information_schema'
and not pg_catalog.starts_with(
    coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), ''), %(beginning)s)
order by 1, 2;

-- name: masked_views
-- The masked views of this warehouse, with their comments.
select n.nspname::text, c.relname::text, d.description
from pg_description d
join pg_class c on c.oid = d.objoid and c.relkind = 'v'
join pg_namespace n on n.oid = c.relnamespace
where d.classoid = 'pg_class'::regclass and d.objsubid = 0
and pg_catalog.starts_with(d.description, %(beginning)s);

-- name: grants
-- All that the groups are granted in this database: kind, schema, table, column, privilege, whether
-- it may be passed on, and the group.
with acls (kind, schema_name, table_name, column_name, acl) as (
    select 'schema', nspname::text, '', '', nspacl from pg_namespace
    union all
    select case c.relkind when 'S' then 'sequence' else 'table' end, n.nspname::text, c.relname::text,
        '', c.relacl
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    union all
    select 'column', n.nspname::text, c.relname::text, a.attname::text, a.attacl
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    join pg_namespace n on n.oid = c.relnamespace
    where a.attacl is not null and not a.attisdropped
    union all
    select 'default', n.nspname::text, '', '', d.defaclacl
    from pg_default_acl d join pg_namespace n on n.oid = d.defaclnamespace
    where d.defaclobjtype = 'r' and d.defaclrole = current_user::regrole
)
select kind, schema_name, table_name, column_name, x.privilege_type, x.is_grantable, r.rolname::text
from acls cross join pg_catalog.aclexplode(acl) as x join pg_roles r on r.oid = x.grantee
where r.rolname = any(%(roles)s) and schema_name !~ '^(pg_toast|dapu_(new|old)_)';

-- name: lock_table
-- So that no load puts another table into its place before the grant is committed.
lock table {table} in access share mode;

-- name: create_schema
create schema if not exists {schema};

-- name: create_view
-- A barrier: no function of a reader's own is called with what the view hides.
create view {view} with (security_barrier) as select {columns} from {table};

-- name: comment_view
comment on view {view} is {comment};

-- name: drop_view
-- Not `cascade`: what somebody built on it stays, and says so.
drop view {view};

-- name: mask_all
null::{type} as {column};

-- name: mask_all_but_first
-- A value that is no longer than that would be shown whole.
case when pg_catalog.length({column}::text) > {count} then pg_catalog.left({column}::text, {count}) || '…'
    when {column} is not null then '…' end as {column};

-- name: mask_all_but_last
case when pg_catalog.length({column}::text) > {count} then '…' || pg_catalog.right({column}::text, {count})
    when {column} is not null then '…' end as {column};

-- name: mask_within_year
pg_catalog.date_trunc('year', {column})::{type} as {column};

-- name: create_role
create role {role} nologin;

-- name: comment_role
comment on role {role} is {comment};

-- name: drop_role
drop role {role};

-- name: grant
grant {privilege} on {kind} {what} to {role};

-- name: revoke
revoke {privilege} on {kind} {what} from {role};

-- name: grant_default
alter default privileges in schema {what} grant {privilege} on tables to {role};

-- name: revoke_default
alter default privileges in schema {what} revoke {privilege} on tables from {role};

-- name: grant_member
grant {role} to {member};

-- name: revoke_member
revoke {role} from {member};
