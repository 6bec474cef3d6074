-- What dapu asks of the PostgreSQL databases that it reads.

-- name: session
-- Each value's text is the one that every PostgreSQL reads back as the same value, whatever the
-- role's own settings are, and a table that is read again is read from its beginning; for this
-- transaction, which is the only one of the connection.
select pg_catalog.set_config('synchronize_seqscans', 'off', true),
    pg_catalog.set_config('datestyle', 'ISO', true), pg_catalog.set_config('intervalstyle', 'postgres', true),
    pg_catalog.set_config('extra_float_digits', '3', true), pg_catalog.set_config('bytea_output', 'hex', true),
    pg_catalog.set_config('idle_in_transaction_session_timeout', '0', true);

-- name: share
-- Other connections may read the state of this transaction, while it lasts.
select pg_catalog.pg_export_snapshot();

-- name: adopt
set transaction snapshot {state};

-- name: before_read
-- A reading that is stopped leaves the state of the database that it read.
savepoint dapu_read;

-- name: after_read
release savepoint dapu_read;

-- name: undo_read
rollback to savepoint dapu_read;

-- name: describe
select * from ({query}
) as dapu_query limit 0;

-- name: plan
explain {query};

-- name: types
-- Of each column of a result the type with its length or precision, and its kind: `own` is of
-- this database alone, `text` has a binary form that means nothing elsewhere or does not exist.
-- A column that comes from a table as it is has the modifier that the table's column has.
select pg_catalog.format_type(given.type, coalesce(a.atttypmod, given.modifier)),
    case
        when given.type >= 16384 then 'own'
        when t.typtype = 'p' or coalesce(e.typname, t.typname) ~ '^reg|^pg_(node|ndis|depe|mcv)'
            or coalesce(e.typname, t.typname) = 'aclitem' then 'text'
        when coalesce(e.typname, t.typname) = 'money' then 'money'
        when coalesce(e.typname, t.typname) = 'interval' then 'interval'
        else 'common'
    end,
    given.place > 0
from unnest(%(types)s::oid[], %(modifiers)s::integer[], %(tables)s::oid[], %(places)s::integer[])
    with ordinality as given (type, modifier, relation, place, number)
join pg_type t on t.oid = given.type
left join pg_type e on e.oid = t.typelem and t.typcategory = 'A'
left join pg_attribute a on a.attrelid = given.relation and a.attnum = given.place
    and a.atttypid = given.type
order by given.number;

-- name: columns
-- The columns of a query, where some need another form.
select {columns} from ({query}
) as dapu_query;

-- name: uncut
-- A text that is too long for its column gets something behind it: spaces would be cut in silence.
case when {kept} then {column} else {column}::text || ' (would be cut)' end
    as {column};

-- name: as_numeric
{column}::numeric as {column};

-- name: as_numerics
{column}::numeric[] as {column};
