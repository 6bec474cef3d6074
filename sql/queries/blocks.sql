-- Hashes of a source's rows, computed by the source, a block of the key's order at a time. One
-- statement a database; {key} and {columns} are names that its driver quoted, and {query} is the
-- task's own query, on lines of its own since it may end in a comment.

-- name: lows
-- The keys at which blocks of so many rows begin, the first left out.
select k from (
    select k, row_number() over (order by k) as n from (
        select {key} as k from (
{query}
) dapu_query where {range}) dapu_keys) dapu_numbered
where n > 1 and mod(n - 1, {size}) = 0 order by k;

-- name: lows_postgresql
-- Qualified, so that no function of others in the source's database is taken for these.
select k from (
    select k, pg_catalog.row_number() over (order by k) as n from (
        select {key} as k from (
{query}
) dapu_query where {range}) dapu_keys) dapu_numbered
where n > 1 and pg_catalog.mod(n - 1, {size}) = 0 order by k;

-- name: lows_mssql
select k from (
    select k, row_number() over (order by k) as n from (
        select {key} as k from (
{query}
) dapu_query where {range}) dapu_keys) dapu_numbered
where n > 1 and (n - 1) %% {size} = 0 order by k;

-- name: postgresql
-- All blocks in one pass: number, rows and hash of each. hash_record_extended is the hash that
-- joins use: fast, of 64 bits, and the same for the same values. With `offset 0` the rows are
-- hashed first: else PostgreSQL expects as many blocks as keys, and sorts whole rows.
select block, pg_catalog.count(*), pg_catalog.sum(h::numeric)::text from (
    select {number} as block, pg_catalog.hash_record_extended(row({columns}), 0) as h from (
{query}
) dapu_query
    offset 0) dapu_hashes
group by block;

-- name: postgresql_in_parallel
-- A hash is small and takes long to work out, which the costs of rows know nothing of.
select pg_catalog.set_config('parallel_setup_cost', '0', true),
    pg_catalog.set_config('parallel_tuple_cost', '0', true);

-- name: postgresql_as_before
select pg_catalog.set_config(name, reset_val, true) from pg_settings
where name in ('parallel_setup_cost', 'parallel_tuple_cost');

-- name: postgresql_key
pg_catalog.convert_to({column}::text, 'UTF8');

-- name: mysql
-- A row longer than max_allowed_packet has no hash: its block is another one each time.
select block, count(*), case when count(h) = count(*) then cast(coalesce(sum(h), 0) as char)
    else cast(uuid() as char) end from (
    select {number} as block,
        cast(conv(left(md5(concat_ws('|', {columns})), 15), 16, 10) as unsigned) as h
    from (
{query}
) dapu_query where {range}) dapu_hashes
group by block;

-- name: mysql_key
cast(convert({column} using utf8mb4) as binary);

-- name: postgresql_text
{column}::text collate "C";

-- name: postgresql_padded
-- With the blanks at its end, which a cast of `char(n)` to text leaves out.
case when {column} is not null then pg_catalog.concat({column}) end collate "C";

-- name: mysql_float
cast(quote({column} * 1e0) as binary);

-- name: mysql_column
-- Bytes, since texts of two character sets cannot always be put together.
cast(quote({column}) as binary);

-- name: sqlite
-- dapu_hash and dapu_digest are functions that dapu gives to SQLite, which has no hash of its own.
-- With `offset 0` the rows are hashed first: else SQLite sorts whole rows.
select block, count(*), dapu_digest(h) from (
    select {number} as block, dapu_hash({columns}) as h from (
{query}
) dapu_query where {range} limit -1 offset 0) dapu_hashes
group by block;

-- name: sqlite_key
cast({column} || '' as blob);

-- name: sqlite_odd
-- What kind of values there is, if any, whose text in the table has other bytes.
select case when hex('a') <> '61' then 'UTF-16' else typeof({column}) end from (
{query}
) dapu_query
where typeof({column}) in ('real', 'blob') or (hex('a') <> '61' and {column} is not null) limit 1;

-- name: sqlite_column
-- A text may not be UTF-8, and must not be taken for a blob of the same bytes.
case typeof({column})
    when 'text' then cast({column} as blob) when 'blob' then hex({column}) else {column} end;

-- name: sqlite_group
-- A function takes no more than 127 arguments, or 1,000.
dapu_hash({columns});

-- name: mssql
-- No sum may have a subquery in it, so the hashes are made before.
select block, count_big(*), sum(h) from (
    select {number} as block, cast(cast(substring(hashbytes('SHA2_256',
        (select {columns} for json path, without_array_wrapper, include_null_values)), 1, 7)
        as bigint) as decimal(38, 0)) as h
    from (
{query}
) dapu_query where {range}) dapu_hashes
group by block;

-- name: mssql_column
dapu_query.{column};

-- name: mssql_float
convert(varchar(32), dapu_query.{column}, 3) as {column};

-- name: oracle
select block, count(*), sum(h) from (
    select {number} as block, to_number(substr(rawtohex(standard_hash({columns}, 'MD5')), 1, 15),
        'XXXXXXXXXXXXXXX') as h
    from (
{query}
) dapu_query where {range}) dapu_hashes
group by block;

-- name: oracle_session
-- What to_char gives is the whole of a value, whatever the database's settings are.
alter session set nls_date_format = 'SYYYY-MM-DD HH24:MI:SS'
    nls_timestamp_format = 'SYYYY-MM-DD HH24:MI:SS.FF9'
    nls_timestamp_tz_format = 'SYYYY-MM-DD HH24:MI:SS.FF9 TZR' nls_numeric_characters = '.,';

-- name: oracle_column
case when {column} is null then 'N' else 'V' || to_char({column}) end;

-- name: alike_postgresql
-- As `postgresql`, of a range, for two of them that give the same rows the same hash.
select block, pg_catalog.count(*), pg_catalog.sum(h::numeric)::text from (
    select {number} as block, pg_catalog.hash_record_extended(row({columns}), 0) as h from (
{query}
) dapu_query where {range}
    offset 0) dapu_hashes
group by block;

-- name: common_postgresql
-- The 60 bits that the other databases make of the same text.
select block, pg_catalog.count(*), pg_catalog.sum(h)::text from (
    select {number} as block, ('x0' || pg_catalog.substr(pg_catalog.md5(
        pg_catalog.concat_ws('|', {columns})), 1, 15))::bit(64)::bigint as h from (
{query}
) dapu_query where {range}
    offset 0) dapu_hashes
group by block;

-- name: mysql_common
-- A row longer than max_allowed_packet has no hash: its block is then like none.
select block, count(*), case when count(h) = count(*) then cast(coalesce(sum(h), 0) as char)
    else '' end from (
    select {number} as block,
        cast(conv(left(md5(concat_ws('|', {columns})), 15), 16, 10) as unsigned) as h
    from (
{query}
) dapu_query where {range}) dapu_hashes
group by block;

-- name: sqlite_common
select block, count(*), dapu_digest(h) from (
    select {number} as block, dapu_common_hash('{kinds}', {columns}) as h from (
{query}
) dapu_query where {range} limit -1 offset 0) dapu_hashes
group by block;

-- name: duckdb
select block, count(*), cast(coalesce(sum(h), 0) as varchar) from (
    select {number} as block,
        cast('0x' || substr(md5(concat_ws('|', {columns})), 1, 15) as bigint) as h
    from (
{query}
) dapu_query where {range}) dapu_hashes
group by block;

-- name: duckdb_key
encode(cast({column} as varchar));

-- name: duckdb_plain
coalesce(cast({column} as varchar), '');

-- name: duckdb_text
coalesce(strlen(cast({column} as varchar)) || ':' || cast({column} as varchar), '');

-- name: duckdb_bytes
coalesce(lower(hex({column})), 'null');

-- name: duckdb_boolean
coalesce(cast(cast({column} as integer) as varchar), '');

-- name: duckdb_float
-- The bits: the shortest text of a number is not written alike.
coalesce(case when isnan({column}) then 'NaN'
    else cast(cast(cast({column} as double) as bit) as varchar) end, '');

-- name: duckdb_time
-- Years before the first have `(BC)` behind the day, not at the end.
coalesce(regexp_replace(cast({column} as varchar), ' [(]BC[)](.*)', '\1 BC'), '');

-- name: duckdb_moment
coalesce(case when isfinite({column})
    then regexp_replace(cast(timezone('UTC', {column}) as varchar), ' [(]BC[)](.*)', '\1 BC')
    else cast({column} as varchar) end, '');

-- name: duckdb_fraction
coalesce(replace(regexp_replace(cast({column} as varchar), '([.][0-9]*[1-9])0+([^0-9]|$)',
    '\1\2'), 'month', 'mon'), '');

-- name: common_postgresql_plain
coalesce({column}::text, '');

-- name: common_postgresql_short
coalesce(pg_catalog.trim_scale({column})::text, '');

-- name: common_postgresql_float
-- The bits.
coalesce(case when {column} = 'NaN' then 'NaN' else ('x' || pg_catalog.encode(
    pg_catalog.float8send({column}::double precision), 'hex'))::bit(64)::text end, '');

-- name: common_postgresql_boolean
coalesce({column}::int::text, '');

-- name: common_postgresql_moment
coalesce(({column} at time zone 'UTC')::text, '');

-- name: common_postgresql_bytes
coalesce(pg_catalog.encode({column}, 'hex'), 'null');

-- name: common_postgresql_text
-- With its length, so that no other columns give the same text.
coalesce(pg_catalog.octet_length({column}::text) || ':' || {column}::text, '');

-- name: mysql_common_plain
coalesce(cast({column} as char), '');

-- name: mysql_common_float
coalesce(cast({column} * 1e0 as char), '');

-- name: mysql_common_time
-- PostgreSQL writes no zeros at the end of a second's fraction.
coalesce(if(locate('.', {column}), trim(trailing '.' from trim(trailing '0' from {column})),
    cast({column} as char)), '');

-- name: mysql_common_bytes
coalesce(lower(hex({column})), 'null');

-- name: mysql_common_text
coalesce(concat(length(convert({column} using utf8mb4)), ':',
    cast(convert({column} using utf8mb4) as binary)), '');

-- name: stored
-- A task's blocks, as they were read last.
select kind, low, rows, hash from {block}
where task = %(task)s and action = %(action)s order by number;

-- name: forget
delete from {block} where task = %(task)s and action = %(action)s;

-- name: reset
delete from {block} where task = %(task)s;

-- name: put
insert into {block} (task, action, number, kind, low, rows, hash, job) values %s;
