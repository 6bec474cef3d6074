-- Documents of the Execute API in PostgreSQL: {documents} has all that was ever read, {current}
-- says of each document which version is the latest, and which batch brought it last.

-- name: create_documents
-- Ids are compared byte by byte: cheaper than by the rules of a language, and they are not words.
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
    primary key (type, id, version, batch_date, chunk)
);

-- name: index_batches
create index on {documents} (batch_date);

-- name: index_versions
-- For a table that another program made with a key that begins with batch_date.
create index on {documents} (type, id, version, batch_date);

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

-- name: drop_current
-- One of other types, when the documents' table was dropped and is another's or dapu's now.
drop table if exists {current};

-- name: create_current
-- Its columns are of the types of the documents' table, which another program may have made.
create table {current} as
select type, id, version, batch_date, author, date, deleted from {documents} with no data;

-- name: complete_current
alter table {current} add primary key (type, id);

-- name: comment_current
comment on table {current} is 'Of each document of Execute the latest version, and the newest batch of that; kept by dapu, so that it need not be sought';

-- name: lock
-- Who writes, waits; readers do not.
lock table {documents} in share row exclusive mode;

-- name: newest_batch
select pg_catalog.max(batch_date) from {documents};

-- name: newest_folded
select pg_catalog.max(batch_date) from {current};

-- name: has_lost
-- Whether the newest batch that is known was deleted, as when somebody emptied or dropped the table.
select coalesce((select pg_catalog.max(batch_date) from {documents}) < folded, folded is not null)
from (select pg_catalog.max(batch_date) as folded from {current}) known;

-- name: fold
-- Takes up the batches after the newest one that is known.
insert into {current} as c (type, id, version, batch_date, author, date, deleted)
select distinct on (type, id) type, id, version, batch_date, author, date, deleted
from {documents}
where chunk = 0 and (batch_date > %(after)s or %(after)s is null)
order by type, id, version desc, batch_date desc
on conflict (type, id) do update set
    version = excluded.version, batch_date = excluded.batch_date, author = excluded.author,
    date = excluded.date, deleted = excluded.deleted
where (excluded.version, excluded.batch_date) > (c.version, c.batch_date);

-- name: forget_gone
-- What somebody deleted by hand.
delete from {current} c
where not exists (
    select from {documents} d
    where d.type = c.type and d.id = c.id and d.version = c.version
    and d.batch_date = c.batch_date and d.chunk = 0);

-- name: delete_replaced
-- What the versions that have come again were before.
delete from {documents} d
using (
    select distinct type, id, version from {documents} where chunk = 0 and batch_date > %(after)s
) again
where d.type = again.type and d.id = again.id and d.version = again.version
and d.batch_date <= %(after)s;

-- name: prune
-- The rows of batches that a newer batch of the same version supersedes.
delete from {documents} d
using (
    select type, id, version, pg_catalog.max(batch_date) as batch_date from {documents}
    where chunk = 0
    group by type, id, version
    having pg_catalog.min(batch_date) < pg_catalog.max(batch_date)
) newest
where d.type = newest.type and d.id = newest.id and d.version = newest.version
and d.batch_date < newest.batch_date;

-- name: create_marks
create table if not exists {marks} (
    source    text primary key,
    mark      text not null,
    moved_at  timestamptz not null default pg_catalog.now()
);

-- name: comment_marks
comment on table {marks} is 'How far each Execute server was read: the `since` of the next question';

-- name: mark
select mark from {marks} where source = %(source)s;

-- name: has_marks
select exists (select from {marks});

-- name: first_mark
insert into {marks} (source, mark) values (%(source)s, %(after)s)
on conflict (source) do nothing;

-- name: move_mark
update {marks} set mark = %(after)s, moved_at = pg_catalog.now()
where source = %(source)s and mark = %(before)s;

-- name: current_schema
select pg_catalog.current_schema();
