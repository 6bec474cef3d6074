-- Rows that a table could not take, beside it.

-- name: create
create table if not exists {rejected} (
    rejected_at timestamptz not null default pg_catalog.now(), reason text not null, record jsonb not null,
    place text);

-- name: add_place
alter table {rejected} add column place text;

-- name: clear
delete from {rejected};

-- name: clear_range
-- The rows whose key lies in the part that was read again.
delete from {rejected} where ctid in (
    select ctid from (
        select ctid, case when {is_valid}({text}, {type_name}) then {text}::{type} end as {key}
        from {rejected}) as known
    where {key} is not null and {condition});

-- name: put
-- What a reader said with a value is not part of it; a byte that is not a character is shown as `\xff`.
insert into {rejected} (reason, record, place)
select reason, record, places.place from (
    select dapu_row, pg_catalog.array_to_string(pg_catalog.array_remove(array[{reasons}], null), '; ')
        as reason,
        pg_catalog.replace(pg_catalog.regexp_replace(
            pg_catalog.regexp_replace((pg_catalog.to_jsonb(dapu_texts.*) - 'dapu_row')::text,
                {remark}, '', 'g'),
            {bad_byte}, '\\\\x\1', 'g'), {own_mark}, {mark})::jsonb as record
    from pg_temp.dapu_texts where not ({valid})) as bad
left join unnest({rows}::bigint[], {places}::text[]) as places (dapu_row, place) using (dapu_row)
where {is_new} order by dapu_row;

-- name: is_new
not exists (select from {rejected} as r where r.reason = bad.reason and r.record = bad.record)
