-- Documents of the Execute API in Databricks: Delta tables of Unity Catalog. DATA is the text of the
-- document, so that it has all digits; the helper views read it as a variant.

-- name: create_documents
create table if not exists EXECUTE_DOCUMENTS (
    BATCH_DATE  timestamp_ntz not null,
    TYPE        string not null,
    ID          string not null,
    VERSION     bigint not null,
    CHUNK       int not null,
    AUTHOR      string,
    DATE        timestamp_ntz not null,
    DELETED     boolean not null,
    DATA        string not null
);

-- name: create_marks
create table if not exists EXECUTE_SYNC (
    SOURCE    string not null,
    MARK      string,
    MOVED_AT  timestamp
);

-- name: create_volume
create volume if not exists EXECUTE_SYNC_STAGE;

-- name: list_volume
list '{volume}';

-- name: remove
remove '{file}';

-- name: add_source
merge into EXECUTE_SYNC t using (select :source as SOURCE) n on t.SOURCE = n.SOURCE
when not matched then insert (SOURCE) values (n.SOURCE);

-- name: mark
select MARK from EXECUTE_SYNC where SOURCE = :source;

-- name: has_marks
select count(MARK) > 0 from EXECUTE_SYNC;

-- name: move_mark
-- Moves it for the one loader that finds the mark from which it read.
update EXECUTE_SYNC set MARK = :after, MOVED_AT = current_timestamp()
where SOURCE = :source and coalesce(MARK, '') = :before;

-- name: is_empty
select count(*) = 0 from (select 1 from EXECUTE_DOCUMENTS limit 1);

-- name: newest_batch
select max(BATCH_DATE) from EXECUTE_DOCUMENTS;

-- name: put
put {local} into '{file}' overwrite;

-- name: insert
insert into EXECUTE_DOCUMENTS
    (BATCH_DATE, TYPE, ID, VERSION, CHUNK, AUTHOR, DATE, DELETED, DATA)
select cast(BATCH_DATE as timestamp_ntz), TYPE, ID, VERSION, CHUNK, AUTHOR,
    cast(DATE as timestamp_ntz), DELETED, DATA
from parquet.`{file}`;

-- name: prune
merge into EXECUTE_DOCUMENTS d
using (
    select TYPE, ID, VERSION, max(BATCH_DATE) as NEWEST
    from EXECUTE_DOCUMENTS group by TYPE, ID, VERSION
) n
on d.TYPE = n.TYPE and d.ID = n.ID and d.VERSION = n.VERSION and d.BATCH_DATE < n.NEWEST
when matched then delete;

-- name: create_view
create view if not exists {view} as {query};

-- name: alter_view
-- Unlike `create or replace`, it keeps what was granted.
alter view {view} as {query};

-- name: latest_all_versions
-- The newest batch of each version.
select BATCH_DATE, TYPE, ID, VERSION, CHUNK, AUTHOR, DATE, DELETED, DATA
from (
    select *, max(BATCH_DATE) over (partition by TYPE, ID, VERSION) as NEWEST_BATCH
    from EXECUTE_DOCUMENTS
) d
where BATCH_DATE = NEWEST_BATCH;

-- name: latest
-- The newest version of each document.
select BATCH_DATE, TYPE, ID, VERSION, CHUNK, AUTHOR, DATE, DELETED, DATA
from (
    select *, max(BATCH_DATE) over (partition by TYPE, ID, VERSION) as NEWEST_BATCH,
        max(VERSION) over (partition by TYPE, ID) as NEWEST_VERSION
    from EXECUTE_DOCUMENTS
) d
where BATCH_DATE = NEWEST_BATCH and VERSION = NEWEST_VERSION;

-- name: of_documents
select {columns} from (
    select ID, VERSION, AUTHOR, DATE, DELETED, parse_json(DATA) as DATA
    from EXECUTE_DOCUMENTS_LATEST where TYPE = {type} and CHUNK = 0
) d;

-- name: of_lists
select {columns} from (
    select ID, parse_json(DATA) as DATA from EXECUTE_DOCUMENTS_LATEST where TYPE = {type}
) d{lists} where true {guards};

-- name: items
, lateral variant_explode(variant_get({item}, {path}, 'variant')) as {alias}

-- name: guard
-- The keys of an object are no list.
and {alias}.key is null

-- name: item
{alias}.value

-- name: text
variant_get({item}, {path}, 'string')

-- name: integer
cast(variant_get({item}, {path}, 'string') as decimal(38, 0))

-- name: decimal
-- By its text: a number with an exponent is a double in a variant, and 1e23 would become less.
cast(variant_get({item}, {path}, 'string') as decimal(38, 15))

-- name: boolean
variant_get({item}, {path}, 'boolean')

-- name: time
variant_get({item}, {path}, 'timestamp')

-- name: local_time
variant_get({item}, {path}, 'timestamp_ntz')

-- name: json
to_json(variant_get({item}, {path}, 'variant'))
