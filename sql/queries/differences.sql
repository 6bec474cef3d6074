-- What differs between rows that were read (`dapu_stage`, temporary) and those of a target table.

-- name: create_stage
create temporary table dapu_stage on commit drop as select {columns} from {table} where false;

-- name: drop_stage
drop table if exists pg_temp.dapu_stage, pg_temp.dapu_difference;

-- name: index_keys
-- Finds a key that comes twice, and gives the rows in the order of their keys: comparing them so
-- takes half the time of a hash join.
create unique index on pg_temp.dapu_stage ({key});

-- name: sample_few
-- Enough to know how many rows there are, and whether they lie in the order of their keys.
alter table pg_temp.dapu_stage {few};

-- name: analyze_keys
analyze pg_temp.dapu_stage ({key});

-- name: without_key
select pg_catalog.count(*) from pg_temp.dapu_stage where {null_key};

-- name: keep_newest
-- Of the rows that share a key the newest stays: the one with the highest watermark, and of those
-- the one that was read last.
delete from {table} where ctid in (
    select ctid from (
        select ctid, pg_catalog.row_number() over (partition by {key} order by {newest} ctid desc) as place
        from {table}) as ranked
    where place > 1);

-- name: find
-- i: only in the stage; u: in both, with other values; d: only in the target.
create temporary table dapu_difference on commit drop as
select {key_of_either}, case when {not_in_target} then 'i' when {not_in_stage} then 'd' else 'u' end as dapu_kind
from pg_temp.dapu_stage as s {join} join (select * from {table} where {present}) as t on {same_key}
where {not_in_target} or {not_in_stage} or {differs};

-- name: older
(({here} is null and {there} is not null) or coalesce({here} < {there}, false))

-- name: older_text
(({here} is null and {there} is not null) or coalesce({here} < {there} and {here} collate "C" < {there}
    and pg_catalog.lower({here}) collate "C" < pg_catalog.lower({there}), false))

-- name: write
-- What was deleted goes first and what is new comes last: a value that must be unique may move from one
-- row to another. In one statement, so that references are looked at when all is written.
with gone as (
    {gone}
), changed as (
    {changed}
), added as (
    insert into {table} ({columns})
    select {stage_columns} from pg_temp.dapu_stage as s
    join pg_temp.dapu_difference as d on {stage_key}
    where d.dapu_kind = 'i' and (select pg_catalog.count(*) from changed) >= 0
    returning 1
)
select (select pg_catalog.count(*) from added), (select pg_catalog.count(*) from changed),
    (select pg_catalog.count(*) from gone);

-- name: none
select 1 where false;

-- name: update
update {table} as t set {assignments}
from pg_temp.dapu_difference as d join pg_temp.dapu_stage as s on {stage_key}
where d.dapu_kind = 'u' and {target_key} and (select pg_catalog.count(*) from gone) >= 0 returning 1;

-- name: delete
delete from {table} as t using pg_temp.dapu_difference as d
where d.dapu_kind = 'd' and {target_key} returning 1;

-- name: mark_deleted
update {table} as t set {deleted} = pg_catalog.now() from pg_temp.dapu_difference as d
where d.dapu_kind = 'd' and t.{deleted} is null and {target_key} returning 1;

-- name: end_versions
-- Closes the current version of every row that changed or was deleted.
update {table} as t set valid_to = pg_catalog.now(), is_current = false,
    ended_by = case d.dapu_kind when 'd' then 'gone' else 'changed' end
from pg_temp.dapu_difference as d
where d.dapu_kind in ('u', 'd') and t.is_current and {target_key};

-- name: begin_versions
-- Opens a version of every row that is new, that changed, or that was deleted and is back.
insert into {table} ({columns}, valid_from, is_current, began_by)
select {stage_columns}, pg_catalog.now(), true,
    case when d.dapu_kind = 'u' then 'changed'
        when exists (select from {table} as t where {target_key}) then 'returned'
        else 'new' end
from pg_temp.dapu_stage as s
join pg_temp.dapu_difference as d on {stage_key} where d.dapu_kind in ('i', 'u');

-- name: history_index
create unique index on {table} ({key}) where is_current;

-- name: delete_missing
-- The stage holds all keys that the source has.
delete from {table} as t
where not exists (select from pg_temp.dapu_stage as s where {same_key});

-- name: mark_missing
update {table} as t set {deleted} = pg_catalog.now()
where t.{deleted} is null
and not exists (select from pg_temp.dapu_stage as s where {same_key});

-- name: unmark_present
update {table} as t set {deleted} = null
where t.{deleted} is not null
and exists (select from pg_temp.dapu_stage as s where {same_key});
