-- What `dapu verify` found, for who must show it later.

create table {verification} (
    verification      bigint generated always as identity primary key,
    task              text not null,
    hash              text not null,
    verdict           text not null check (verdict in ('same', 'different', 'refused', 'failed')),
    message           text not null,
    began_at          timestamptz not null,
    ended_at          timestamptz not null default clock_timestamp(),
    by                text not null,
    source            text,
    run_at            timestamptz,
    table_at          timestamptz,
    source_at         timestamptz,
    read_to           text,
    table_rows        bigint,
    source_rows       bigint,
    blocks            bigint,
    blocks_differing  bigint,
    rows_read         bigint,
    bytes_moved       bigint,
    missing           bigint,
    extra             bigint,
    differing         bigint,
    columns           text[],
    pending           bigint,
    not_compared      text[]
);
create index on {verification} (task, verification);
comment on table {verification} is 'What `dapu verify` found: one row a task and time; never changed, never pruned';
comment on column {verification}.verification is 'Number of the row';
comment on column {verification}.task is 'Task id';
comment on column {verification}.hash is 'The hash of the definition that was verified, as in the registry';
comment on column {verification}.verdict is 'same, different; refused: rows cannot be compared exactly; failed: it broke off';
comment on column {verification}.message is 'The verdict in a sentence';
comment on column {verification}.began_at is 'When it began';
comment on column {verification}.ended_at is 'When it ended';
comment on column {verification}.by is 'Who asked for it: user@host';
comment on column {verification}.source is 'How the source was read';
comment on column {verification}.run_at is 'When the last good run ended whose rows were in the table''s snapshot';
comment on column {verification}.table_at is 'When the snapshot of the table was taken: by the warehouse''s clock';
comment on column {verification}.source_at is 'When the snapshot of the source was taken, right after: by the warehouse''s clock';
comment on column {verification}.read_to is 'The watermark in the table''s snapshot: how far the task had read its source';
comment on column {verification}.table_rows is 'Rows of the table';
comment on column {verification}.source_rows is 'Rows of the source''s query';
comment on column {verification}.blocks is 'Blocks of rows that were hashed on both sides; null: all rows were read';
comment on column {verification}.blocks_differing is 'Blocks whose hashes differed, so that rows of them were read';
comment on column {verification}.rows_read is 'Rows of the source that were read';
comment on column {verification}.bytes_moved is 'Bytes of rows and hashes that the source sent';
comment on column {verification}.missing is 'Rows of the source that the table has not';
comment on column {verification}.extra is 'Rows of the table that the source has not';
comment on column {verification}.differing is 'Rows of both with other values';
comment on column {verification}.columns is 'The columns in which rows differ';
comment on column {verification}.pending is 'Rows that differ, and that the next run reads by its watermark';
comment on column {verification}.not_compared is 'Columns of the table that the source does not give';

create view {verified} as
select distinct on (v.task) v.task, v.verdict, v.message, v.began_at, v.by, v.table_rows,
    v.source_rows, v.missing, v.extra, v.differing, v.pending,
    r.hash is not distinct from v.hash as is_definition_of_now,
    r.last_done_at is not distinct from v.run_at as is_last_run_in_it
from {verification} v left join {registry} r on r.task = v.task
order by v.task, v.verification desc;
comment on view {verified} is 'The newest verification of each task, and whether its definition and its last run are still those of then';
