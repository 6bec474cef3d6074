-- Pieces of the views of contract ABIs. {source} is an expression of bytes, {at} the place in it from
-- 1 on; the places of values of fixed size are known when the view is made.

-- name: columns
-- The columns of a table and their types.
select a.attname, pg_catalog.format_type(a.atttypid, null)
from pg_attribute a where a.attrelid = pg_catalog.to_regclass(%(table)s)
    and a.attnum > 0 and not a.attisdropped;

-- name: contracts
-- The contracts of a table, each with all its ABIs side by side.
select {address} as contract_address, {contract_name}::text as contract_name, {abi}::text as abi
from {contracts} c
where true {chosen}
order by 1, 2, 3;

-- name: contracts_of_query
-- Those of a query.
select {address} as contract_address, {contract_name}::text as contract_name, {abi}::text as abi
from (
{query}
) c
where true {chosen}
order by 1, 2, 3;

-- name: address_text
-- An address of any type and case as text.
pg_catalog.replace(pg_catalog.lower(pg_catalog.btrim({column}::text)), '\x', '0x');

-- name: only
and {address} = any ({keys});

-- name: busy
-- Contracts with a least number of logs and calls.
and {address} in (
    select k.address from ({addresses}) as k (address)
    group by k.address having pg_catalog.count(*) >= {count});

-- name: addresses
select {address} from {table} x where {column} is not null;

-- name: number_hex
('0x' || pg_catalog.encode(pg_catalog.substr({source}, {at}, {length}), 'hex'))::numeric;

-- name: number_part
-- PostgreSQL 14 and 15 read no numeric from hexadecimal digits: bits become a bigint, 7 bytes of them
-- at a time, so that none is taken for a sign.
('x' || pg_catalog.encode(pg_catalog.substr({source}, {at}, {length}), 'hex'))::bit({bits})::bigint::numeric;

-- name: times
{number} * {factor};

-- name: signed
{number} - case when pg_catalog.get_byte({source}, {first}) > 127 then {modulus} else 0 end;

-- name: unsigned_ok
pg_catalog.substr({source}, {at}, {unused}) = '\x{zeros}'::bytea;

-- name: signed_ok
pg_catalog.substr({source}, {at}, {unused}) = case when pg_catalog.get_byte({source}, {first}) > 127
        then '\x{ones}'::bytea else '\x{zeros}'::bytea end;

-- name: address
'0x' || pg_catalog.encode(pg_catalog.substr({source}, {at}, 20), 'hex');

-- name: bool
pg_catalog.get_byte({source}, {last}) = 1;

-- name: bool_ok
pg_catalog.substr({source}, {at}, 32) in ('\x{zeros}00'::bytea, '\x{zeros}01'::bytea);

-- name: fixed_bytes
pg_catalog.substr({source}, {at}, {length});

-- name: bytes
-- A value whose offset stands at a place, counted from the base.
{schema}.abi_bytes({source}, {schema}.abi_tail({source}, {base}, {place}));

-- name: text
{schema}.abi_text({schema}.abi_bytes({source}, {schema}.abi_tail({source}, {base}, {place})));

-- name: hex_text
-- Bytes as JSON has them.
'0x' || pg_catalog.encode({value}, 'hex');

-- name: json_array
pg_catalog.jsonb_build_array({arguments});

-- name: json_object
pg_catalog.jsonb_build_object({arguments});

-- name: always
true;

-- name: json_list
-- Any number of items of one size.
(select case when a.count::bigint * {head} <= pg_catalog.length({source}) - a.place - 32 then (
        select case when pg_catalog.bool_and({ok}) is not false
            then coalesce(pg_catalog.jsonb_agg({value} order by i.n), '[]') end
        from pg_catalog.generate_series(0, a.count - 1) as i (n)
        cross join lateral (
            select pg_catalog.substr({source}, a.place + 33 + {head} * i.n, {head}) as item offset 0) w) end
    from (select t.place, {schema}.abi_position({source}, t.place) as count
        from (select {schema}.abi_tail({source}, {base}, {place}) as place offset 0) t offset 0) a);

-- name: json_dynamic
{schema}.abi_value({source}, {schema}.abi_tail({source}, {base}, {place}), {type}::jsonb);

-- name: json_static
-- One too large for an expression.
{schema}.abi_value({source}, {place}, {type}::jsonb);

-- name: guarded
case when {good} then {value} end;

-- name: is_as_long
pg_catalog.length({source}) >= {length};

-- name: both
{long} and {ok};

-- name: too_short
when ({long}) is not true
        then '{what} has ' || coalesce(pg_catalog.length({source}), 0) || ' bytes of at least {length}';

-- name: when_not
when ({ok}) is not true then {message};

-- name: when_null
when {value} is null then {message};

-- name: errors
case {cases} end;

-- name: event
select '0x{address}'::text as contract_address,
    l.{block_number} as evt_block_number, l.{transaction_hash} as evt_tx_hash,
    l.{log_index} as evt_index{values},
    {error}::text as error
from {logs} l{words}{decoded}
where {conditions};

-- name: function
select '0x{address}'::text as contract_address,
    c.block_number as txn_block_number, c.hash as txn_hash,
    c.transaction_index as txn_index, c.success{values},
    {error}::text as error
from (
    {calls}
) c{words}{decoded};

-- name: lateral
-- `offset 0` keeps PostgreSQL from working an expression out anew in each place where it is named.
cross join lateral (select {columns} offset 0) {alias};

-- name: equals_bytes
{column} = '\x{hex}'::bytea;

-- name: equals_text
pg_catalog.lower({column}) = '0x{hex}';

-- name: starts_bytes
pg_catalog.substr({column}, 1, {length}) = '\x{hex}'::bytea;

-- name: starts_text
pg_catalog.lower(pg_catalog.left({column}, {digits})) = '0x{hex}';

-- name: topic_of_array
{topics}[{number}];

-- name: topics_of_array
pg_catalog.cardinality({topics}) = {count};

-- name: topic_of_text
pg_catalog.split_part({topics}, ',', {number});

-- name: topics_of_text
pg_catalog.cardinality(pg_catalog.string_to_array({topics}, ',')) = {count};

-- name: topic_of_json
({topics}::jsonb ->> {index});

-- name: topics_of_json
pg_catalog.jsonb_array_length({topics}::jsonb) = {count};

-- name: bytes_of_text
{schema}.abi_hex({column});

-- name: transaction_calls
-- The calls that transactions themselves make.
select t.{block_number} as block_number, t.{hash} as hash,
        t.{transaction_index} as transaction_index, {success} as success, t.{input} as input
    from {transactions} t
    where {conditions};

-- name: trace_calls
-- The calls that contracts make, each a row.
union all
    select r.{block_number}, r.{transaction_hash}, {transaction_index}, {success}, r.{input}
    from {traces} r
    left join {transactions} t on t.{hash} = r.{transaction_hash}
    where {conditions};

-- name: receipt
-- 1 in the receipt of a transaction that was not undone; null before Ethereum had such receipts.
t.{receipt_status}::text in ('1', '0x1', 'true');

-- name: no_error
nullif({alias}.{error}::text, '') is null;

-- name: trace_status
r.{status}::text in ('1', '0x1', 'true');

-- name: trace_path
-- Where a call stands below its transaction: nothing for the call of the transaction itself.
pg_catalog.replace(pg_catalog.btrim({alias}.{trace_address}::text, '[]{{}}'), ' ', '');

-- name: is_root
coalesce({path}, '') = '';

-- name: root_success
(select {no_error} from {traces} p
        where p.{transaction_hash} = t.{hash} and {is_root} limit 1);

-- name: no_failed_parent
-- What a call did is undone with the call that made it.
not exists (select from {traces} p where p.{transaction_hash} = r.{transaction_hash}
            and not ({no_error}) and pg_catalog.starts_with({path} || ',', {parent_path} || ',')
            or p.{transaction_hash} = r.{transaction_hash} and not ({no_error}) and {is_root});

-- name: no_such_trace
-- Where traces do not say which of them is the transaction's own call, it is the one like it.
not exists (select from {traces} p where p.{transaction_hash} = t.{hash}
            and p.{to_address} = {called} and p.{input} = {sent});

-- name: first_of
coalesce({values});
