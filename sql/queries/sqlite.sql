-- How SQLite writes the lines that COPY reads, and what is asked of it. Its columns hold values
-- of any type, whatever they were declared as: each value is written by its own type.

-- name: query
-- The columns get names of ours: theirs may be anything, or two the same.
with dapu_query ({names}) as (

-- name: lines
) select cast({line} as blob) from dapu_query;

-- name: usual
-- Most rows hold values of the expected kinds and no quote: so much is asked of the row at once.
case when {condition} then concat({line}) else {other} end

-- name: is_any
true

-- name: is_integer
typeof({value}) = 'integer'

-- name: is_number
{value} < ''

-- name: is_text
typeof({value}) = 'text'

-- name: no_quote
not instr(concat({values}), '"')

-- name: joined
-- A function takes no more than 1,000 arguments, so that many columns are joined in groups.
concat_ws(',', {fields})

-- name: field
-- A field of CSV; the kind that the column is expected to hold is asked for first.
case typeof({value}) {cases} end

-- name: null
when 'null' then ''

-- name: integer
when 'integer' then {value}

-- name: text
-- Most texts have no quote, and looking for one is quicker than replacing none.
when 'text' then iif(instr({value}, '"'),
    '"' || replace({shown}, '"', '""') || '"', '"' || {shown} || '"')

-- name: shown
-- A text that PostgreSQL would round, cut or shift in silence gets the reason behind it.
iif({plain}, {value}, dapu_exact({value}, '{type}'))

-- name: plain_date
length({value}) = 10

-- name: plain_moment
({value} glob '????????????????:[0-9][0-9]' or ({value} glob '????????????????:[0-9][0-9].*'
    and length({value}) <= {longest} and substr({value}, 21) not glob '*[^0-9]*'))

-- name: plain_zoned
({value} glob '????????????????:[0-9][0-9]*' and substr({value}, {longest} + 1, 1) not glob '[0-9]'
    and (length({value}) < 27 or substr({value}, 20, 1) <> '.'))

-- name: plain_time
{value} glob '[0-9][0-9]:[0-9][0-9]:[0-9][0-9]'

-- name: plain_text
length({value}) <= {longest}

-- name: plain_never
false

-- name: blob
when 'blob' then '"\x' || hex({value}) || '"'

-- name: any_as_bytes
-- For a column of bytes: text too goes as its bytes.
iif({value} is null, '', '"\x' || hex({value}) || '"')

-- name: real_number
-- A number with two decimals goes as 1234e-2. That is exact by the rules of IEEE 754: the division
-- of two whole numbers below 2^53 gives the double nearest to the quotient, and it gave this one.
-- Every other number Python writes, as the shortest text that reads back as the same number.
-- (No functions: without round() and abs() it takes half the time.)
when 'real' then case
    when {value} > 0 and {value} < 1e13 and cast({value} * 100 + 0.5 as integer) / 1e2 = {value}
    then cast({value} * 100 + 0.5 as integer) || 'e-2'
    when {value} < 0 and {value} > -1e13 and cast({value} * 100 - 0.5 as integer) / 1e2 = {value}
    then cast({value} * 100 - 0.5 as integer) || 'e-2'
    else {real} end

-- name: real
dapu_real({value})

-- name: exact
dapu_exact({value}, '{type}')

-- name: real_exact
when 'real' then dapu_exact({value}, '{type}')

-- name: integer_exact
when 'integer' then iif({value} between -{greatest} and {greatest}, {value}, dapu_exact({value}, '{type}'))

-- name: real_whole
-- For a column of integers: 5.0 is 5, and 5.5 is for PostgreSQL to refuse.
when 'real' then case
    when abs({value}) < 9.2e18 and cast({value} as integer) = {value}
    then cast({value} as integer)
    else dapu_real({value}) end

-- name: real_text
when 'real' then dapu_real({value})

-- name: survey
) select {facts} from dapu_query;

-- name: survey_some
) select {facts} from (select * from dapu_query limit {rows});

-- name: any
-- Whether any row is as described.
) select exists (select 1 from dapu_query where {condition});

-- name: kinds
-- Of a column: the kinds of its least and its greatest value, of which SQLite's order is numbers,
-- texts, blobs; whether there is a real number, or an integer; whether there are but 0 and 1.
typeof(min({value})), typeof(max({value})), max(typeof({value}) = 'real'),
    max(typeof({value}) = 'integer'), min({value}) >= 0 and max({value}) <= 1

-- name: dates
-- Of a column of texts: whether all are dates.
min(iif({value} is null, null, {date}))

-- name: times
-- Of a column of texts: whether all are time stamps or dates; whether all have a zone, or one has.
min(iif({value} is null, null, {time} or {date})), min({zoned}), max({zoned})

-- name: date
-- SQLite takes February 31 for March 2 or 3, and knows a year 0.
(length({value}) = 10 and substr({value}, 1, 4) > '0000' and date({value}) is {value})

-- name: time
-- PostgreSQL keeps six digits of a second, so that a text may have 26 characters before its zone.
(length({value}) between 16 and 32
    and {value} glob '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][ T][0-9][0-9]:[0-9][0-9]*'
    and substr({value}, 1, 4) > '0000' and length(rtrim({value}, 'Z')) <= iif({zoned}, 32, 26)
    and coalesce(date(substr({value}, 1, 10)) = substr({value}, 1, 10), 0)
    and substr({value}, 12, 2) < '24' and datetime({value}) is not null)

-- name: zoned
({value} glob '*Z' or substr({value}, 17) glob '*[+-][0-9][0-9]:[0-9][0-9]')

-- name: not_missing
{value} is not null

-- name: not_integer
typeof({value}) <> 'integer' and {value} is not null

-- name: not_boolean
(typeof({value}) <> 'integer' or {value} not in (0, 1)) and {value} is not null

-- name: not_real
typeof({value}) <> 'real' and {value} is not null

-- name: not_number
-- In SQLite's order texts and blobs come after all numbers.
{value} >= ''

-- name: not_blob
{value} < x''

-- name: not_date
{value} is not null and not {date}

-- name: not_time
-- A time as SQLite itself writes it is known faster.
{value} is not null and not (
    (datetime({value}) is {value} and length({value}) = 19 and substr({value}, 1, 4) > '0000')
    or ({time} and not {zoned}) or {date})

-- name: not_zoned_time
{value} is not null and not ({time} and {zoned})
