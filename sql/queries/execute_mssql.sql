-- Documents of the Execute API in SQL Server, as the known client has them. The helper views have
-- decimals with 23 digits before the point and 15 after it; DATA has all digits.

-- name: create_documents
if object_id(N'EXECUTE_DOCUMENTS', N'U') is null
create table EXECUTE_DOCUMENTS (
    BATCH_DATE  datetime2 not null,
    TYPE        nvarchar(100) not null,
    ID          nvarchar(100) not null,
    VERSION     bigint not null,
    CHUNK       int not null,
    AUTHOR      nvarchar(100),
    DATE        datetime2 not null,
    DELETED     bit not null,
    DATA        nvarchar(max) not null check (isjson(DATA) = 1),
    constraint PK_EXECUTE_DOCUMENTS
        primary key clustered (BATCH_DATE, TYPE, ID, VERSION, CHUNK)
);

-- name: index_versions
if not exists (
    select 1 from sys.indexes
    where object_id = object_id(N'EXECUTE_DOCUMENTS') and name = N'EXECUTE_DOCUMENTS_VERSIONS')
create index EXECUTE_DOCUMENTS_VERSIONS on EXECUTE_DOCUMENTS (TYPE, ID, VERSION, BATCH_DATE);

-- name: create_marks
if object_id(N'EXECUTE_SYNC', N'U') is null
create table EXECUTE_SYNC (
    SOURCE    nvarchar(400) not null primary key,
    MARK      nvarchar(100),
    MOVED_AT  datetime2
);

-- name: add_source
insert into EXECUTE_SYNC (SOURCE)
select %(source)s
where not exists (select 1 from EXECUTE_SYNC where SOURCE = %(source)s);

-- name: lock
-- Keeps every other loader out until the transaction ends.
update EXECUTE_SYNC set MOVED_AT = sysutcdatetime() where SOURCE = %(source)s;

-- name: mark
select MARK from EXECUTE_SYNC where SOURCE = %(source)s;

-- name: has_marks
select case when exists (select 1 from EXECUTE_SYNC where MARK is not null) then 1 else 0 end;

-- name: move_mark
update EXECUTE_SYNC set MARK = %(after)s where SOURCE = %(source)s;

-- name: is_empty
select case when exists (select 1 from EXECUTE_DOCUMENTS) then 0 else 1 end;

-- name: newest_batch
select max(BATCH_DATE) from EXECUTE_DOCUMENTS;

-- name: insert
insert into EXECUTE_DOCUMENTS
    (BATCH_DATE, TYPE, ID, VERSION, CHUNK, AUTHOR, DATE, DELETED, DATA)
values {rows};

-- name: row
(%s, %s, %s, %s, %s, %s, %s, %s, %s)

-- name: prune
delete d from EXECUTE_DOCUMENTS d
where exists (
    select 1 from EXECUTE_DOCUMENTS n
    where n.TYPE = d.TYPE and n.ID = d.ID and n.VERSION = d.VERSION
    and n.BATCH_DATE > d.BATCH_DATE);

-- name: create_view
create or alter view {view} as {query};

-- name: latest_all_versions
-- The newest batch of each version.
select BATCH_DATE, TYPE, ID, VERSION, CHUNK, AUTHOR, DATE, DELETED, DATA
from (
    select d.*, max(BATCH_DATE) over (partition by TYPE, ID, VERSION) as NEWEST
    from EXECUTE_DOCUMENTS d
) d
where BATCH_DATE = NEWEST;

-- name: latest
-- The newest version of each document.
select BATCH_DATE, TYPE, ID, VERSION, CHUNK, AUTHOR, DATE, DELETED, DATA
from (
    select d.*, max(BATCH_DATE) over (partition by TYPE, ID, VERSION) as NEWEST,
        max(VERSION) over (partition by TYPE, ID) as TOP_VERSION
    from EXECUTE_DOCUMENTS d
) d
where BATCH_DATE = NEWEST and VERSION = TOP_VERSION;

-- name: of_documents
select {columns} from EXECUTE_DOCUMENTS_LATEST d {record} where d.TYPE = {type} and d.CHUNK = 0;

-- name: of_lists
select {columns} from EXECUTE_DOCUMENTS_LATEST d {lists} {record} where d.TYPE = {type} {guards};

-- name: items
cross apply openjson({item}, {path}) {alias}

-- name: guard
and left(ltrim(json_query({item}, {path})), 1) = N'['

-- name: item
{alias}.value

-- name: record
outer apply openjson({item}) with ({fields}) f

-- name: text
{name} nvarchar(max) {path}

-- name: integer
{name} decimal(38, 0) {path}

-- name: decimal
{name} decimal(38, 15) {path}

-- name: boolean
{name} bit {path}

-- name: time
{name} datetimeoffset {path}

-- name: local_time
{name} datetime2 {path}

-- name: json
{name} nvarchar(max) {path} as json

-- name: item_id
json_value({item}, {path})
