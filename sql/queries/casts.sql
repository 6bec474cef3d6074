-- Databases behind SQLAlchemy whose types are known: what a driver would shorten goes as text.

-- name: cast
{text} as {column};

-- name: mssql_describe
-- The columns of a query with its parameters' declarations, or why there are none. The name of a
-- type like hierarchyid is that of a user's type.
select name, coalesce(system_type_name, user_type_name) as type_name, error_message
from sys.dm_exec_describe_first_result_set(?, ?, 0)
where is_hidden = 0 or error_message is not null order by column_ordinal;

-- name: mssql_time
convert(varchar(34), {value}, 121);

-- name: mssql_text
convert(nvarchar(max), {value});

-- name: mssql_path
{value}.ToString();

-- name: oracle_number
to_char({value}, 'TM9', 'nls_numeric_characters = ''.,''');

-- name: oracle_moment
-- Years before the first need BC behind them.
to_char({value}, 'YYYY-MM-DD HH24:MI:SS.FF9')
    || case when {value} < timestamp '0001-01-01 00:00:00' then ' BC' end;

-- name: oracle_day
to_char({value}, 'YYYY-MM-DD HH24:MI:SS')
    || case when {value} < date '0001-01-01' then ' BC' end;

-- name: oracle_zoned
-- In UTC, since a zone may have a name; without its digits the type would round to six.
to_char(sys_extract_utc(cast({value} as timestamp(9) with time zone)), 'YYYY-MM-DD HH24:MI:SS.FF9')
    || nvl2({value}, '+00', null)
    || case when {value} < timestamp '0001-01-01 00:00:00 +00:00' then ' BC' end;

-- name: oracle_months
-- Each part has the sign of the whole.
nvl2({value}, extract(year from {value}) || ' years ' || extract(month from {value}) || ' months',
    null);

-- name: oracle_seconds
nvl2({value}, extract(day from {value}) || ' days ' || extract(hour from {value}) || ' hours '
    || extract(minute from {value}) || ' minutes '
    || to_char(extract(second from {value}), 'TM9', 'nls_numeric_characters = ''.,''')
    || ' seconds', null);

-- name: oracle_json
json_serialize({value} returning clob);

-- name: oracle_xml
xmlserialize(content {value} as clob);

-- name: duckdb_describe
-- The columns of a query, those of one name too.
describe
{query};

-- name: duckdb_json
to_json({value});

-- name: duckdb_text
cast({value} as varchar);

-- name: duckdb_time
-- Years before the first have `(BC)` behind them.
translate(cast({value} as varchar), '()', '');

-- name: duckdb_zoned
-- In UTC, since DuckDB leaves out the seconds that the zones of old times have.
case when isfinite({value})
    then translate(cast(timezone('UTC', {value}) as varchar), '()', '') || '+00'
    else cast({value} as varchar) end;
