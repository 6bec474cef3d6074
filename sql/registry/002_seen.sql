-- What a task remembers of the parts of its source: a file's hash, a page's ETag.

create table {seen} (
    task     text not null,
    action   integer not null,
    item     text not null,
    state    jsonb not null,
    job      bigint not null,
    seen_at  timestamptz not null default now(),
    primary key (task, action, item)
);
comment on table {seen} is 'Parts of a source that a task has read, as they were then; written in the same commit as their rows';
comment on column {seen}.task is 'Task id';
comment on column {seen}.action is 'Which action of the task, from 1';
comment on column {seen}.item is 'Name of the part, for example a file';
comment on column {seen}.state is 'How it was, for example size and hash';
comment on column {seen}.job is 'The job that read it last';
comment on column {seen}.seen_at is 'When it was read last';
