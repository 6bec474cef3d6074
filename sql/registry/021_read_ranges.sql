-- Which ranges of its sources each task has read.

create table {read_range} (
    read_range   bigint generated always as identity primary key,
    task         text not null,
    source       text not null,
    column_name  text not null,
    kind         text not null
        check (kind in ('integer', 'decimal', 'float', 'text', 'date', 'timestamp', 'timestamptz')),
    low          text,
    high         text not null,
    job          bigint,
    read_at      timestamptz not null default now()
);
create index on {read_range} (task, source);
comment on table {read_range} is 'Which ranges of its sources each task has read; written in the same commit as their rows. Ranges that touch are one';
comment on column {read_range}.read_range is 'Number of the row';
comment on column {read_range}.task is 'Task id';
comment on column {read_range}.source is 'What was read: agent, query and connection';
comment on column {read_range}.column_name is 'The column of the watermark';
comment on column {read_range}.kind is 'The kind of its values';
comment on column {read_range}.low is 'From this value on; null: from the first one';
comment on column {read_range}.high is 'Up to this value';
comment on column {read_range}.job is 'The job that read of it last';
comment on column {read_range}.read_at is 'When it did';

-- What was read until now; what a person set by hand was not read.
insert into {read_range} (task, source, column_name, kind, low, high, job, read_at)
select task, source, column_name, kind, null, value, job, moved_at from {watermark}
where job is not null;
