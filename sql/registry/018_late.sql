-- When a task is late, and what was wrong when somebody looked last.

alter table {registry} add late_after interval not null default '1 hour';
comment on column {registry}.late_after is 'It is late when it has been due, or its job has waited, for longer';

create table {look} (
    selection  text primary key,
    looked_at  timestamptz not null,
    jobs       bigint[] not null,
    late       text[] not null,
    faulty     text[] not null
);
comment on table {look} is 'What `dapu status --check` has reported, so that it reports each thing once';
comment on column {look}.selection is 'The tasks that were asked for, as they stood on the command line';
comment on column {look}.looked_at is 'When it looked last';
comment on column {look}.jobs is 'The jobs that had failed shortly before';
comment on column {look}.late is 'The tasks that were late';
comment on column {look}.faulty is 'The tasks that had a fault';
