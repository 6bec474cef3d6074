-- A master whose past changed: who reads only its news does not see that by itself.

alter table {agenda} add after bigint[] not null default '{{}}';
comment on column {agenda}.after is 'Jobs that must be done before: those of the masters, in a correction that goes down from task to task';
alter table {agenda} add rebuild boolean not null default false check (not rebuild or full_load);
comment on column {agenda}.rebuild is 'Drops the table and makes it anew; then everything is read';

create table {correction} (
    task      text not null references {registry} on delete cascade,
    master    text not null references {registry} on delete cascade,
    reason    text not null check (reason in ('range', 'full', 'deletes')),
    span      jsonb,
    job       bigint not null,
    found_at  timestamptz not null default now()
);
create unique index on {correction} (task, master, coalesce(span, '{{}}'));
comment on table {correction} is 'What changed in the past of a task''s masters since the task read it, and it has not read again';
comment on column {correction}.task is 'The task, which reads only what is new';
comment on column {correction}.master is 'The task whose past changed; others that read all of it may lie between';
comment on column {correction}.reason is 'range: a range was read once more; full: everything was; deletes: rows were deleted';
comment on column {correction}.span is 'Values of the task''s own watermark to read again from and to; null: everything';
comment on column {correction}.job is 'The master''s job that changed it last';
comment on column {correction}.found_at is 'When that job ended';
