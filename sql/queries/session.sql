-- What dapu does in each of its PostgreSQL sessions. Everything here is qualified: the session's
-- search_path is still what the role or the database has.

-- name: began
-- Which process serves the session, and where others' SQL looks names up.
select pg_catalog.pg_backend_pid(), pg_catalog.current_setting('search_path');

-- name: set_up
-- An `unnest` of several arrays is the parser's own, by this name alone. Returns of each setting
-- whether it was so before.
select setting.name, pg_catalog.current_setting(setting.name, true)
    is not distinct from pg_catalog.set_config(setting.name, setting.value, %(in_transaction)s)
from unnest(%(names)s::pg_catalog.text[], %(values)s::pg_catalog.text[])
    as setting (name, value);

-- name: set
set {name} to {value};

-- name: given_path
-- For the rest of the transaction.
select pg_catalog.set_config('search_path', %(path)s, true);

-- name: own_path
-- For the rest of the transaction. Each job ends with it, and a `select` would take longer.
set local search_path to pg_catalog, pg_temp;

-- name: own_path_for_now
-- The same; what others' SQL made of the path is kept as long.
select pg_catalog.set_config('dapu.path', pg_catalog.current_setting('search_path'), true),
    pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);

-- name: kept_path
select pg_catalog.set_config('search_path', pg_catalog.current_setting('dapu.path'), true);

-- name: cancel
select pg_catalog.pg_cancel_backend(%(backend)s);

-- name: has_written
-- Whether the open transaction has changed anything.
select pg_catalog.pg_current_xact_id_if_assigned() is not null;

-- name: only_reads
-- Transactions to come, too: a query may end the one that it is in.
select pg_catalog.set_config('default_transaction_read_only', 'on', false);

-- name: query_to_open
select pg_catalog.set_config('dapu.query', %(query)s, true);

-- name: open_query
-- The text of others is one query, or the server refuses it; with `declare` it would run what
-- stands behind a `;`.
do $dapu$
declare
    opened refcursor := 'dapu_query';
begin
    open opened for execute pg_catalog.current_setting('dapu.query');
end
$dapu$;

-- name: fetch_query
fetch forward {most} from dapu_query;

-- name: more_than_reading
-- Why the session's role may do more than read: of itself, by a role that it may become, or in a
-- table. Those of PostgreSQL that write, or read files of the server, are known by their names.
select role, why from (
    select 1 as place, session_user as role, case when r.rolname = session_user then 'is a superuser'
        else 'may become ' || r.rolname || ', a superuser' end as why
    from pg_catalog.pg_roles as r
    where r.rolsuper and pg_catalog.pg_has_role(session_user, r.oid, 'member')
    union all
    select 2, session_user, 'is a member of ' || r.rolname
    from pg_catalog.pg_roles as r
    where r.rolname in ('pg_write_all_data', 'pg_write_server_files', 'pg_read_server_files',
        'pg_execute_server_program') and pg_catalog.pg_has_role(session_user, r.oid, 'member')
    union all
    select 3, session_user, 'may write ' || c.oid::pg_catalog.regclass::text
    from pg_catalog.pg_class as c
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'f') and n.nspname <> 'information_schema'
        and n.nspname not like 'pg\_%%'
        and pg_catalog.has_table_privilege(session_user, c.oid, 'insert, update, delete, truncate')
) as found
order by place, why limit 1;
