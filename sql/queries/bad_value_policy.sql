-- Rows whose values are looked at before they go into their table: staged as text first.

-- name: create_texts
create temporary table dapu_texts (dapu_row bigint generated always as identity, {columns}) on commit drop;

-- name: drop_texts
drop table if exists pg_temp.dapu_texts;

-- name: create_is_valid
-- What pg_input_is_valid is from PostgreSQL 16 on.
create or replace function pg_temp.dapu_is_valid(value text, type_name text) returns boolean
language plpgsql as $$
begin
    execute pg_catalog.format('select %%L::%%s', value, type_name);
    return true;
exception when data_exception or invalid_text_representation or integrity_constraint_violation then
    return false;
end $$;

-- name: is_valid
-- Only what is valid can be asked whether it would arrive as it is.
(case when {text} is null then {empty} when {value} ~ {marks} or not {valid} then false else {kept} end)

-- name: without_nul
-- A document as text, without the escapes of NUL characters; a backslash may be escaped itself.
pg_catalog.regexp_replace({document}, '(?<!\\)((\\\\)*)\\u0000', '\1', 'g')

-- name: bad_rows
-- Rows with a bad value, in order, with what is bad in them, the first column where, and their
-- key: up to 20, and how many there are.
select dapu_row, reasons, bad_column, key_texts, pg_catalog.count(*) over () from (
    select dapu_row, pg_catalog.array_remove(array[{reasons}], null) as reasons, {bad_column} as bad_column,
        array[{key}]::text[] as key_texts
    from pg_temp.dapu_texts where not ({valid})) as bad
order by dapu_row limit 20;

-- name: bad_places
-- All rows with a bad value, and the first column where.
select dapu_row, {bad_column} from pg_temp.dapu_texts where not ({valid}) order by dapu_row;

-- name: reason
-- What is bad in a value; a reader may have said more with it, behind a sign of its own.
case when not {valid} then
    {label} || coalesce('''' || {shown} || '''', 'no value')
    || case when {value} ~ {nul} then ' has a NUL character' when {value} ~ {bad_byte} then ' is not UTF-8'
        else {does_not_fit} end
    || coalesce(pg_catalog.regexp_replace(substring({value} from {remark}), '^..', ' '), '')
end

-- name: shown
-- The beginning of a value without what a reader said with it; a byte that is not a character is shown
-- as `\xff`.
pg_catalog.regexp_replace(pg_catalog.replace(pg_catalog.regexp_replace(
    pg_catalog.regexp_replace(pg_catalog.left({value}, 1000), {remark}, ''),
        {bad_byte}, '\\x\1', 'g'), {own_mark}, {mark}),
    '^(.{{100}}).+', '\1...')

-- name: unmarked
pg_catalog.replace({value}, {own_mark}, {mark})

-- name: nulled
-- A row whose value would become null.
select dapu_row, {shown}, array[{key}]::text[] from pg_temp.dapu_texts
where {column} is not null and (({text}) is null or {bad}) order by dapu_row limit 1;

-- name: good_rows
select {values} from pg_temp.dapu_texts where {valid};

-- name: mended_rows
select {values} from pg_temp.dapu_texts;
