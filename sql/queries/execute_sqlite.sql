-- Documents of the Execute API in SQLite, as the known client has them. The helper views have
-- numbers as SQLite has them, in 64 bits; DATA has all their digits.

-- name: create_documents
create table if not exists EXECUTE_DOCUMENTS (
    BATCH_DATE  text not null,
    TYPE        text not null,
    ID          text not null,
    VERSION     integer not null,
    CHUNK       integer not null,
    AUTHOR      text,
    DATE        text not null,
    DELETED     boolean not null,
    DATA        text not null,
    primary key (BATCH_DATE, TYPE, ID, VERSION, CHUNK)
);

-- name: index_versions
create index if not exists EXECUTE_DOCUMENTS_VERSIONS
on EXECUTE_DOCUMENTS (TYPE, ID, VERSION, BATCH_DATE);

-- name: create_marks
create table if not exists EXECUTE_SYNC (
    SOURCE    text primary key,
    MARK      text not null,
    MOVED_AT  text not null default current_timestamp
);

-- name: begin
-- Nobody else can write from here on.
begin immediate;

-- name: commit
commit;

-- name: rollback
rollback;

-- name: mark
select MARK from EXECUTE_SYNC where SOURCE = :source;

-- name: has_marks
select exists (select 1 from EXECUTE_SYNC);

-- name: first_mark
insert or ignore into EXECUTE_SYNC (SOURCE, MARK) values (:source, :after);

-- name: move_mark
update EXECUTE_SYNC set MARK = :after, MOVED_AT = current_timestamp
where SOURCE = :source and MARK = :before;

-- name: is_empty
select not exists (select 1 from EXECUTE_DOCUMENTS);

-- name: newest_batch
select max(BATCH_DATE) from EXECUTE_DOCUMENTS;

-- name: insert
-- SQLite itself checks the text of a document that was too long to be looked at on its way.
insert into EXECUTE_DOCUMENTS
    (BATCH_DATE, TYPE, ID, VERSION, CHUNK, AUTHOR, DATE, DELETED, DATA)
select ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, case when json_valid(?9) then ?9 end;

-- name: prune
delete from EXECUTE_DOCUMENTS as d
where exists (
    select 1 from EXECUTE_DOCUMENTS n
    where n.TYPE = d.TYPE and n.ID = d.ID and n.VERSION = d.VERSION
    and n.BATCH_DATE > d.BATCH_DATE);

-- name: kind
select type from sqlite_schema where lower(name) = lower(:name);

-- name: drop_view
drop view if exists {view};

-- name: create_view
create view {view} as {query};

-- name: latest_all_versions
-- The newest batch of each version.
select BATCH_DATE, TYPE, ID, VERSION, CHUNK, AUTHOR, DATE, DELETED, DATA
from EXECUTE_DOCUMENTS d
where not exists (
    select 1 from EXECUTE_DOCUMENTS n
    where n.TYPE = d.TYPE and n.ID = d.ID and n.VERSION = d.VERSION
    and n.BATCH_DATE > d.BATCH_DATE);

-- name: latest
-- The newest version of each document.
select BATCH_DATE, TYPE, ID, VERSION, CHUNK, AUTHOR, DATE, DELETED, DATA
from EXECUTE_DOCUMENTS d
where not exists (
    select 1 from EXECUTE_DOCUMENTS n
    where n.TYPE = d.TYPE and n.ID = d.ID
    and (n.VERSION > d.VERSION or n.VERSION = d.VERSION and n.BATCH_DATE > d.BATCH_DATE));

-- name: of_documents
select {columns} from EXECUTE_DOCUMENTS_LATEST d where d.TYPE = {type} and d.CHUNK = 0;

-- name: of_lists
select {columns} from EXECUTE_DOCUMENTS_LATEST d{lists} where d.TYPE = {type} {guards};

-- name: items
, json_each({item}, {path}) {alias}

-- name: guard
and json_type({item}, {path}) = 'array'

-- name: item
-- What is not a record has no fields, and is not JSON for json_extract.
case when {alias}.type in ('object', 'array') then {alias}.value end

-- name: text
json_extract({item}, {path})

-- name: integer
json_extract({item}, {path})

-- name: decimal
json_extract({item}, {path})

-- name: boolean
json_extract({item}, {path})

-- name: time
json_extract({item}, {path})

-- name: local_time
json_extract({item}, {path})

-- name: json
json_extract({item}, {path})
