-- Pieces of the views of contract ABIs in Snowflake. Values are decoded by the function abi_decode,
-- which gives JSON with a value for each input.

-- name: look_at
-- The columns of a table and their types, from the description of its result.
select * from {table};

-- name: contracts
-- The contracts of a table, each with all its ABIs side by side.
select {address} as contract_address, {contract_name}::varchar as contract_name, {abi}::varchar as abi
from {contracts} c
where true {chosen}
order by 1, 2, 3;

-- name: contracts_of_query
-- Those of a query.
select {address} as contract_address, null::varchar as contract_name, {abi}::varchar as abi
from (
{query}
) c
where true {chosen}
order by 1, 2, 3;

-- name: only
and {address} in ({keys});

-- name: busy
-- Contracts with a least number of logs and calls.
and {address} in (
    select k.address from ({addresses}) as k (address)
    group by k.address having count(*) >= {count});

-- name: addresses
select {address} from {table} x where {column} is not null;

-- name: address_of_binary
'0x' || lower(hex_encode({column}));

-- name: address_of_text
lower(trim({column}));

-- name: equals_binary
{column} = to_binary('{hex}', 'HEX');

-- name: equals_text
lower({column}) = '0x{hex}';

-- name: starts_binary
startswith(hex_encode({column}), '{hex}');

-- name: starts_text
lower(left({column}, {digits})) = '0x{hex}';

-- name: hex_of_binary
hex_encode({column});

-- name: json_of_array
to_json({column})::varchar;

-- name: topic_of_array
{topics}[{number}]::varchar;

-- name: topic_of_text
split_part({topics}, ',', {number} + 1);

-- name: topics_of_array
array_size({topics});

-- name: topics_of_text
array_size(split(nullif({topics}, ''), ','));

-- name: no_topics
null::varchar;

-- name: decoded
,
        parse_json({schema}.abi_decode({topics}, {data}, {layout})) as decoded;

-- name: number
d.decoded:p{number}::number(38, 0);

-- name: boolean
d.decoded:p{number}::boolean;

-- name: text
d.decoded:p{number}::varchar;

-- name: binary
-- More than 8 MB is no value there, and ends no query.
try_to_binary(d.decoded:p{number}::varchar, 'HEX');

-- name: json
d.decoded:p{number};

-- name: error
d.decoded:e::varchar;

-- name: no_error_possible
null::varchar;

-- name: event
select '0x{address}'::varchar as contract_address, d.evt_block_number, d.evt_tx_hash,
    d.evt_index{values},
    {error} as error
from (
    select l.{block_number} as evt_block_number, l.{transaction_hash} as evt_tx_hash,
        l.{log_index} as evt_index{decoded}
    from {logs} l
    where {conditions}
) d;

-- name: function
select '0x{address}'::varchar as contract_address, d.txn_block_number, d.txn_hash, d.txn_index,
    d.success{values},
    {error} as error
from (
    select c.block_number as txn_block_number, c.hash as txn_hash,
        c.transaction_index as txn_index, c.success{decoded}
    from (
        {calls}
    ) c
) d;

-- name: transaction_calls
-- The calls that transactions themselves make.
select t.{block_number} as block_number, t.{hash} as hash,
            t.{transaction_index} as transaction_index, {success} as success, {data} as input
        from {transactions} t{joined}
        where {conditions};

-- name: trace_calls
-- The calls that contracts make, each a row.
union all
        select r.{block_number}, r.{transaction_hash}, {index}, {success}, {data}
        from {traces} r
        left join {transactions} t on t.{hash} = r.{transaction_hash}{joined}
        where {conditions};

-- name: receipt
-- 1 in the receipt of a transaction that was not undone; null before Ethereum had such receipts.
{column}::varchar in ('1', '0x1', 'true');

-- name: no_error
nullif({column}::varchar, '') is null;

-- name: path
-- Where a call stands below its transaction: nothing for the call of the transaction itself.
coalesce(replace(trim({column}, '[]{{}} '), ' ', ''), '');

-- name: is_root
{path} = '';

-- name: not_root
{path} <> '';

-- name: root
-- The trace of a transaction's own call.

        left join {traces} p on p.{transaction_hash} = t.{hash} and {is_root};

-- name: root_success
iff(p.{transaction_hash} is null, null, {no_error});

-- name: failed_parents
-- What a call did is undone with the call that made it. Snowflake refuses this as `not exists`.

        left join (
            select distinct r.{transaction_hash} as hash, {path} as path
            from {traces} r
            join {traces} p on p.{transaction_hash} = r.{transaction_hash} and not ({no_error})
            where ({is_root} or startswith({path} || ',', {parent_path} || ','))
            and {conditions}
        ) f on f.hash = r.{transaction_hash} and f.path = {path};

-- name: no_failed_parent
f.hash is null;

-- name: no_such_trace
-- Where traces do not say which of them is the transaction's own call, it is the one like it.
not exists (select 1 from {traces} p where p.{transaction_hash} = t.{hash}
            and p.{to_address} = t.{called} and p.{input} = t.{sent});

-- name: first_of
coalesce({values});

-- name: mark
-- Says of a view which task made it and how. Nothing reads it but `do: views`.
with made_by as (select {mark} as dapu_views);

-- name: create_schema
create schema if not exists {schema};

-- name: create_decoder
create or replace function {schema}.abi_decode(topics varchar, data varchar, layout varchar)
returns varchar
language python
runtime_version = '3.11'
handler = 'abi_decode'
comment = 'Values of a log or call as JSON; for views of contract ABIs'
as $$
{body}
$$;

-- name: create_view
create or replace view {view} copy grants comment = {comment} as
{mark}
{query};

-- name: drop_view
drop view if exists {view};

-- name: present
-- The views of a schema, with their marks.
select table_name, regexp_substr(view_definition, 'dapu views [{{][^}}]*[}}]')
from information_schema.views
where table_schema = %(schema)s;

-- name: present_of_group
-- What there is of these names, and the views of a group.
select table_name, regexp_substr(view_definition, 'dapu views [{{][^}}]*[}}]')
from information_schema.views
where table_schema = %(schema)s
and (table_name in ({names}) or contains(view_definition, %(key)s))
union all
select table_name, null from information_schema.tables
where table_schema = %(schema)s and table_name in ({names}) and table_type <> 'VIEW';
