-- Whether PostgreSQL would keep a value as its text says; each is asked of valid texts alone.

-- name: no_form
-- Of a date or time: that nothing stands there which the type has no place for.
{text} !~ {pattern}

-- name: no_longer
char_length({text}) <= {longest}

-- name: same_number
{text}::numeric = {text}::{type}

-- name: same_float
-- The text is the number that is held, or the one that is shown for it.
{text}::numeric in ({text}::{type}::double precision::text::numeric, {text}::{type}::text::numeric)
