-- What dapu asks of MySQL and MariaDB, and how they write the lines that COPY reads.
-- Constants are hexadecimal: their meaning does not depend on sql_mode.

-- name: session
-- Times with a zone in UTC, no limit and no cut that nobody asked for, and patience with a
-- warehouse that is slow to take rows.
set session time_zone = '+00:00', sql_select_limit = default,
    group_concat_max_len = 4294967295, net_write_timeout = 3600;

-- name: isolation
set session transaction isolation level repeatable read;

-- name: begin
start transaction with consistent snapshot, read only;

-- name: raw_results
-- Text as it is stored; and a column declares its own character set.
set session character_set_results = null;

-- name: readable_results
set session character_set_results = utf8mb4;

-- name: kill
kill %(session)s;

-- name: warnings
show warnings;

-- name: own_types
-- MariaDB shows its types uuid, inet4, inet6 and json as text: here is what they were made as.
select c.table_schema, c.table_name, c.column_name,
    if(k.constraint_name is null, c.column_type, 'json')
from information_schema.columns c
left join information_schema.check_constraints k
    on k.constraint_schema = c.table_schema and k.table_name = c.table_name
    and k.level = 'Column' and k.constraint_name = c.column_name
    and k.check_clause = concat('json_valid(`', c.column_name, '`)')
where (c.table_schema, c.table_name) in %(tables)s;

-- name: line
concat({fields}, x'0a')

-- name: field
-- `\N` is COPY's NULL. A text that is too long for the server becomes NULL, and so does then the
-- whole line, by which it is noticed.
if({value} is null, x'5c4e', {text})

-- name: plain
{value}

-- name: floating
-- The server writes a FLOAT with six digits; a DOUBLE with as many as it needs.
{value} * 1e0

-- name: bits
lpad(bin({value} + 0), {length}, '0')

-- name: bits_number
{value} + 0

-- name: utc
concat({value}, '+00')

-- name: if_exact
-- A text that the target's column might round or cut gets something behind it that is refused.
if({value} regexp '{pattern}', concat({text}, ' (would be changed)'), {text})

-- name: bytes
concat(x'5c5c78', hex({value}))

-- name: utf8
-- Backslash, tab and line ends as COPY's text format has them.
replace(replace(replace(replace(cast({value} as binary),
    x'5c', x'5c5c'), x'09', x'5c74'), x'0a', x'5c6e'), x'0d', x'5c72')

-- name: other_charset
-- What its character set does not define would become `?` or U+FFFD: such a value goes as its
-- bytes after an FF, which is not UTF-8, so that it cannot be taken for text.
if(char_length(replace(convert({value} using utf8mb4), '?', ''))
        = char_length(replace({value}, '?', ''))
    and locate(x'efbfbd', cast(convert({value} using utf8mb4) as binary)) = 0,
    {utf8}, concat(x'ff', hex({value})))

-- name: converted
convert({value} using utf8mb4)

-- name: geometry
-- The server keeps the SRID (4 bytes) and WKB; with a SRID it goes as EWKB, else as WKB.
concat(x'5c5c78', if(left(hex({value}), 8) = '00000000', substr(hex({value}), 9),
    concat(substr(hex({value}), 9, 8), '20', left(hex({value}), 8), substr(hex({value}), 19))))

-- name: enum_order
-- Two values of an enum of which the one that sorts first as a text is the later by its declaration.
select a.{column}, b.{column}
from (select distinct dapu_query.{column} from ({query}
) dapu_query) a
join (select distinct dapu_query.{column} from ({query}
) dapu_query) b on a.{column} < b.{column} and a.{column} + 0 > b.{column} + 0 limit 1;
