-- Owner, storage options, comment and grants of a table or view, and giving them to another.

-- name: properties
-- Owner, storage options and comment.
select pg_catalog.pg_get_userbyid(relowner), reloptions, pg_catalog.obj_description(oid, 'pg_class')
from pg_class where oid = %(oid)s::oid;

-- name: grants
-- Privileges on the table (column is null) and on its columns; grantee null is PUBLIC.
select null::name as column_name, pg_catalog.pg_get_userbyid(nullif(a.grantee, 0)),
    a.privilege_type, a.is_grantable
from pg_class c cross join pg_catalog.aclexplode(c.relacl) a
where c.oid = %(oid)s::oid
union all
select t.attname, pg_catalog.pg_get_userbyid(nullif(a.grantee, 0)),
    a.privilege_type, a.is_grantable
from pg_attribute t cross join pg_catalog.aclexplode(t.attacl) a
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
