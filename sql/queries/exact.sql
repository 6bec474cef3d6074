-- Whether PostgreSQL would keep a value as its text says; each is asked of valid texts alone.

-- name: no_form
-- Of a date or time: that nothing stands there which the type has no place for.
{text} !~ {pattern}

-- name: no_longer
pg_catalog.{length}({text}) <= {longest}

-- name: same_number
{text}::numeric = {text}::{type}

-- name: same_float
-- The text is the number that is held, or the one that is shown for it.
{text}::numeric in ({text}::{type}::double precision::text::numeric, {text}::{type}::text::numeric)

-- name: same_interval
{text}::interval = {text}::{type}

-- name: elements
-- Each element of an array is kept. Qualified: functions of others for text[] would fit better.
not exists (select from pg_catalog.unnest({text}::text[]) as element (value) where not ({kept}))

-- name: bounds
-- The bounds of a range, or of several.
not exists (
    select from pg_catalog.regexp_split_to_table({text}, '[][(){{}}",]+') as bound (value)
    where not ({kept}))
