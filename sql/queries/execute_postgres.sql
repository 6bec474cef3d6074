-- Documents of the Execute API in PostgreSQL: {documents} has all that was ever read,
-- {versions} says of each version which batch is the newest, and which version is the latest.

-- name: create_documents
-- Ids are compared byte by byte: cheaper than by the rules of a language, and they are no words.
create table {documents} (
    batch_date  timestamptz not null,
    type        text collate "C" not null,
    id          text collate "C" not null,
    version     bigint not null,
    chunk       integer not null,
    author      text,
    date        timestamptz not null,
    deleted     boolean not null,
    data        jsonb not null,
    primary key (batch_date, type, id, version, chunk)
);

-- name: comment_documents
comment on table {documents} is 'Documents of Execute as they were read: one row a chunk; a version that was read again is in a newer batch';

-- name: has_lz4
select 'lz4' = any (enumvals) from pg_settings where name = 'default_toast_compression';

-- name: compress_fast
alter table {documents} alter column data set compression lz4;

-- name: compress_late
-- Without lz4, compressing a document of 2 kB costs as much time as all the rest of its way: rows
-- of up to 4 kB are left as they are.
alter table {documents} set (toast_tuple_target = 4096);

-- name: create_versions
-- Its columns are of the types of the documents' table, which another program may have made.
create table {versions} as
select type, id, version, batch_date, author, date, deleted, true as latest
from {documents} with no data;

-- name: complete_versions
alter table {versions} add primary key (type, id, version),
    alter column batch_date set not null, alter column latest set not null;

-- name: comment_versions
comment on table {versions} is 'Of each version of a document its newest batch, and whether it is the latest version; kept by dapu';

-- name: lock
-- Who writes, waits; readers do not.
lock table {documents} in share row exclusive mode;

-- name: newest_batch
select max(batch_date) from {documents};

-- name: newest_folded
select max(batch_date) from {versions};

-- name: fold
-- Takes up the batches after the newest one that is known.
insert into {versions} as v (type, id, version, batch_date, author, date, deleted, latest)
select distinct on (type, id, version)
    type, id, version, batch_date, author, date, deleted, true
from {documents}
where chunk = 0 and (batch_date > %(after)s or %(after)s is null)
order by type, id, version, batch_date desc
on conflict (type, id, version) do update set
    batch_date = excluded.batch_date, author = excluded.author,
    date = excluded.date, deleted = excluded.deleted;

-- name: mark_latest
-- Of the documents in those batches, only the highest version is the latest.
update {versions} v set latest = (v.version = top.version)
from (
    select type, id, max(version) as version
    from {versions}
    where (type, id) in (
        select type, id from {documents}
        where chunk = 0 and (batch_date > %(after)s or %(after)s is null))
    group by type, id
) top
where v.type = top.type and v.id = top.id and v.latest <> (v.version = top.version);

-- name: delete_replaced
-- What the versions in the new batches were before; to be run before these are taken up.
delete from {documents} d
using {versions} v
where (v.type, v.id, v.version) in (
    select type, id, version from {documents} where chunk = 0 and batch_date > %(after)s)
and d.batch_date = v.batch_date and d.type = v.type and d.id = v.id and d.version = v.version;

-- name: prune
delete from {documents} d using {versions} v
where v.type = d.type and v.id = d.id and v.version = d.version and d.batch_date < v.batch_date;

-- name: create_marks
create table if not exists {marks} (
    source    text primary key,
    mark      text not null,
    moved_at  timestamptz not null default now()
);

-- name: mark
select mark from {marks} where source = %(source)s;

-- name: first_mark
insert into {marks} (source, mark) values (%(source)s, %(after)s)
on conflict (source) do nothing;

-- name: move_mark
update {marks} set mark = %(after)s, moved_at = now()
where source = %(source)s and mark = %(before)s;

-- name: current_schema
select current_schema();
