-- Documents of the Execute API in Snowflake, as the known client has them. The helper views have
-- decimals with 23 digits before the point and 15 after it, DATA has all digits; booleans are 1
-- and 0, as in the known client's views.

-- name: create_documents
create table if not exists EXECUTE_DOCUMENTS (
    BATCH_DATE  timestamp_ntz(9) not null,
    TYPE        varchar not null,
    ID          varchar not null,
    VERSION     number(38, 0) not null,
    CHUNK       number(38, 0) not null,
    AUTHOR      varchar,
    DATE        timestamp_ntz(9) not null,
    DELETED     boolean not null,
    DATA        variant not null,
    constraint EXECUTE_DOCUMENTS_PK primary key (BATCH_DATE, TYPE, ID, VERSION, CHUNK)
);

-- name: create_marks
create table if not exists EXECUTE_SYNC (
    SOURCE    varchar not null primary key,
    MARK      varchar,
    MOVED_AT  timestamp_ntz
);

-- name: create_stage
-- Of its own: the known client's pipe loads whatever lies in its stage.
create stage if not exists EXECUTE_SYNC_STAGE;

-- name: empty_stage
create or replace stage EXECUTE_SYNC_STAGE;

-- name: add_source
merge into EXECUTE_SYNC t using (select %(source)s as SOURCE) n on t.SOURCE = n.SOURCE
when not matched then insert (SOURCE) values (n.SOURCE);

-- name: begin
begin;

-- name: commit
commit;

-- name: rollback
rollback;

-- name: lock
-- Keeps every other loader out until the transaction ends; what is read after it is the newest.
update EXECUTE_SYNC set MOVED_AT = sysdate() where SOURCE = %(source)s;

-- name: mark
select MARK from EXECUTE_SYNC where SOURCE = %(source)s;

-- name: has_marks
select count(MARK) > 0 from EXECUTE_SYNC;

-- name: move_mark
update EXECUTE_SYNC set MARK = %(after)s where SOURCE = %(source)s;

-- name: is_empty
select count(*) = 0 from (select 1 from EXECUTE_DOCUMENTS limit 1);

-- name: newest_batch
select max(BATCH_DATE) from EXECUTE_DOCUMENTS;

-- name: put
put {file} @EXECUTE_SYNC_STAGE/{batch}/ auto_compress = false source_compression = gzip;

-- name: copy
copy into EXECUTE_DOCUMENTS
    (BATCH_DATE, TYPE, ID, VERSION, CHUNK, AUTHOR, DATE, DELETED, DATA)
from @EXECUTE_SYNC_STAGE/{batch}/
file_format = (type = csv compression = gzip field_optionally_enclosed_by = '"'
    escape_unenclosed_field = none null_if = ())
on_error = abort_statement
purge = true;

-- name: count_faulty
-- Rows of the batch whose text Snowflake did not take for JSON: each chunk has the document's id.
select count(*) from EXECUTE_DOCUMENTS
where BATCH_DATE >= %(first)s::timestamp_ntz and coalesce(DATA:"DOCUMENT_ID"::string, '') <> ID;

-- name: prune
delete from EXECUTE_DOCUMENTS d
using (
    select TYPE, ID, VERSION, max(BATCH_DATE) as BATCH_DATE
    from EXECUTE_DOCUMENTS group by TYPE, ID, VERSION
) n
where d.TYPE = n.TYPE and d.ID = n.ID and d.VERSION = n.VERSION and d.BATCH_DATE < n.BATCH_DATE;

-- name: create_view
create or replace secure view {view} copy grants as {query};

-- name: latest_all_versions
-- The newest batch of each version.
select BATCH_DATE, TYPE, ID, VERSION, CHUNK, AUTHOR, DATE, DELETED, DATA
from EXECUTE_DOCUMENTS
qualify BATCH_DATE = max(BATCH_DATE) over (partition by TYPE, ID, VERSION);

-- name: latest
-- The newest version of each document.
select BATCH_DATE, TYPE, ID, VERSION, CHUNK, AUTHOR, DATE, DELETED, DATA
from EXECUTE_DOCUMENTS
qualify BATCH_DATE = max(BATCH_DATE) over (partition by TYPE, ID, VERSION)
    and VERSION = max(VERSION) over (partition by TYPE, ID);

-- name: of_documents
select {columns} from EXECUTE_DOCUMENTS_LATEST d where d.TYPE = {type} and d.CHUNK = 0;

-- name: of_lists
select {columns} from EXECUTE_DOCUMENTS_LATEST d{lists} where d.TYPE = {type} {guards};

-- name: items
, lateral flatten(input => {item}{path}, mode => 'ARRAY') {alias}

-- name: guard
and {item}{path} is not null

-- name: item
{alias}.value

-- name: text
{item}{path}::string

-- name: integer
{item}{path}::number(38, 0)

-- name: decimal
{item}{path}::number(38, 15)

-- name: boolean
{item}{path}::boolean::int

-- name: time
{item}{path}::timestamp_tz

-- name: local_time
{item}{path}::timestamp_ntz

-- name: json
{item}{path}

-- name: set_public_key
-- For the administrator, who puts the user's name into it.
alter user MY_USER set RSA_PUBLIC_KEY = '{key}';
