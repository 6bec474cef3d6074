-- What the pull engine remembers: ranges to read again, the hashes of blocks, the parts of a load.

alter table {agenda} add span jsonb;
comment on column {agenda}.span is 'Values of the watermark''s column to read from and to, the watermark left where it is';

create table {block} (
    task    text not null,
    action  integer not null,
    number  integer not null,
    kind    text not null,
    low     text,
    rows    bigint not null,
    hash    text not null,
    job     bigint not null,
    primary key (task, action, number),
    check ((number = 0) = (low is null))
);
comment on table {block} is 'Blocks of a source''s rows in the order of the key, as they were read last';
comment on column {block}.task is 'Task id';
comment on column {block}.action is 'Which action of the task, from 1';
comment on column {block}.number is 'Which block, from 0';
comment on column {block}.kind is 'The kind of the key''s values';
comment on column {block}.low is 'The lowest key that belongs to the block; the first block begins before all keys';
comment on column {block}.rows is 'How many rows it had';
comment on column {block}.hash is 'The hash of its rows, as the source computed it';
comment on column {block}.job is 'The job that read it last';

create table {part} (
    task     text not null,
    action   integer not null,
    number   integer not null,
    plan     text not null,
    low      text,
    high     text,
    rows     bigint,
    job      bigint not null,
    done_at  timestamptz,
    primary key (task, action, number),
    check ((rows is null) = (done_at is null))
);
comment on table {part} is 'Parts of a split load that is under way; each is written with its rows in one commit';
comment on column {part}.task is 'Task id';
comment on column {part}.action is 'Which action of the task, from 1';
comment on column {part}.number is 'Which part, from 1';
comment on column {part}.plan is 'Hash of the query and of how it is split: parts of another plan are of no use';
comment on column {part}.low is 'The lowest value of the part; null: no lower bound';
comment on column {part}.high is 'The value that the part ends before; null: no upper bound';
comment on column {part}.rows is 'How many rows it has; null: not read yet';
comment on column {part}.job is 'The job that planned or read it';
comment on column {part}.done_at is 'When it was read';
