-- The registry: what dapu knows about a warehouse, in the warehouse. Rules stand here, in the
-- schema, where they make a wrong state impossible; the programs only say what they want.

create table {control} (
    name        text primary key,
    value       jsonb not null,
    changed_at  timestamptz not null default now()
);
comment on table {control} is 'Switches of the whole warehouse, for example `paused`';
comment on column {control}.name is 'Name of the switch';
comment on column {control}.value is 'What it is set to, with who set it';
comment on column {control}.changed_at is 'When it was last set';

create table {route} (
    route          text primary key,
    description    text,
    connection     text not null,
    concurrency    integer check (concurrency > 0),
    disabled       text[] not null default '{{}}'
        check (disabled <@ array['registrar', 'manager', 'worker']),
    registered_at  timestamptz not null default now()
);
comment on table {route} is 'Sources of data: one row a folder below routes/';
comment on column {route}.route is 'Name of the folder';
comment on column {route}.description is '`name:` of route.yaml';
comment on column {route}.connection is 'Name of the connection in connections.yaml';
comment on column {route}.concurrency is 'How many jobs may run on this source at once; null: no limit';
comment on column {route}.disabled is 'Components that leave this route alone';
comment on column {route}.registered_at is 'When the Registrar last wrote this row';

create table {registry} (
    task           text primary key,
    route          text not null references {route},
    schema_name    text not null,
    table_name     text not null,
    description    text,
    hash           text not null,
    definition     jsonb not null,
    state          text not null default 'ready' check (state in ('ready', 'upgrading', 'faulty')),
    fault          text,
    on_masters     boolean not null default false,
    pause          interval not null,
    day_parts      text[] not null default '{{}}',
    cron           text,
    next_cron_at   timestamptz,
    priority       integer not null check (priority > 0),
    retries        integer not null check (retries >= 0),
    retry_wait     interval not null,
    timeout        interval not null,
    registered_at  timestamptz not null default now(),
    changed_at     timestamptz not null default now(),
    last_job       bigint,
    last_status    text,
    last_started_at timestamptz,
    last_ended_at  timestamptz,
    last_done_at   timestamptz,
    check ((state = 'faulty') = (fault is not null)),
    check ((cron is null) = (next_cron_at is null)),
    check (task = route || '.' || schema_name || '.' || table_name)
) with (fillfactor = 80);  -- each job notes its end here: room for that, beside the row
create index on {registry} (route);
comment on table {registry} is 'The tasks as last registered';
comment on column {registry}.task is 'Task id: route.schema.table';
comment on column {registry}.route is 'The source of data that the task reads';
comment on column {registry}.schema_name is 'Schema of the target table';
comment on column {registry}.table_name is 'Name of the target table';
comment on column {registry}.description is '`description:` of task.yaml';
comment on column {registry}.hash is 'SHA-256 of the task''s folder and of the defaults that apply to it';
comment on column {registry}.definition is 'task.yaml with the defaults of the warehouse and the route filled in';
comment on column {registry}.state is 'ready: can be queued; upgrading: its ver/ steps are running; faulty: its files have a fault';
comment on column {registry}.fault is 'What is wrong, when the state is faulty';
comment on column {registry}.on_masters is 'Runs when the tasks it depends on have run, and at no other time';
comment on column {registry}.pause is 'The least time between the end of one run and the next';
comment on column {registry}.day_parts is 'Parts of the day in which it may be queued; empty: always';
comment on column {registry}.cron is 'Cron expression in the warehouse''s time zone';
comment on column {registry}.next_cron_at is 'The next time that the cron expression gives';
comment on column {registry}.priority is '1 is the most urgent';
comment on column {registry}.retries is 'How often a failed job is tried again';
comment on column {registry}.retry_wait is 'The wait before the first new try; it doubles each time';
comment on column {registry}.timeout is 'After this time a job is stopped';
comment on column {registry}.registered_at is 'When the Registrar first saw the task';
comment on column {registry}.changed_at is 'When the Registrar last saw a change';
comment on column {registry}.last_job is 'The job that ended last';
comment on column {registry}.last_status is 'How that job ended';
comment on column {registry}.last_started_at is 'When that job started';
comment on column {registry}.last_ended_at is 'When that job ended';
comment on column {registry}.last_done_at is 'When a job of this task was last done without fault';

create table {dependency} (
    task    text not null references {registry} on delete cascade,
    master  text not null references {registry} on delete cascade,
    primary key (task, master),
    check (task <> master)
);
create index on {dependency} (master);
comment on table {dependency} is 'Which task depends on which';
comment on column {dependency}.task is 'The task that depends';
comment on column {dependency}.master is 'The task that must have run before';

create table {override} (
    task         text primary key,
    pause        interval,
    day_parts    text[],
    timeout      interval,
    blacklisted  boolean not null default false,
    note         text,
    changed_at   timestamptz not null default now()
);
comment on table {override} is 'An operator''s changes to a task, without a deploy; null leaves what the definition says';
comment on column {override}.task is 'Task id; it need not be registered yet';
comment on column {override}.pause is 'Instead of run.pause';
comment on column {override}.day_parts is 'Instead of run.when';
comment on column {override}.timeout is 'Instead of run.timeout';
comment on column {override}.blacklisted is 'The Manager does not queue the task, and no master wakes it';
comment on column {override}.note is 'Why, for the next operator';
comment on column {override}.changed_at is 'When the row was written';

create table {worker} (
    worker      integer generated always as identity primary key,
    host        text not null,
    pid         integer not null,
    version     text not null,
    started_at  timestamptz not null default now(),
    ended_at    timestamptz,
    ending      text check (ending in ('done', 'stopped', 'died')),
    jobs        integer not null default 0,
    check ((ended_at is null) = (ending is null))
);
create index on {worker} (worker) where ended_at is null;
comment on table {worker} is 'Worker processes. A live one holds an advisory lock on its number; a dead one cannot';
comment on column {worker}.worker is 'Number of the worker';
comment on column {worker}.host is 'The machine it runs on';
comment on column {worker}.pid is 'Its process id there';
comment on column {worker}.version is 'The version of dapu that it runs';
comment on column {worker}.started_at is 'When it started';
comment on column {worker}.ended_at is 'When it ended, or was found dead';
comment on column {worker}.ending is 'done: nothing left or time over; stopped: by a signal; died: without a word';
comment on column {worker}.jobs is 'How many jobs it ended';

create table {agenda} (
    job         bigint generated always as identity primary key,
    task        text not null,
    route       text not null,
    status      text not null default 'waiting'
        check (status in ('waiting', 'running', 'done', 'failed', 'skipped', 'lost', 'cancelled')),
    priority    integer not null,
    cause       text not null check (cause in ('manager', 'master', 'retry', 'run')),
    full_load   boolean not null default false,
    tries       integer not null default 0,
    queued_at   timestamptz not null default now(),
    not_before  timestamptz not null default now(),
    started_at  timestamptz,
    ended_at    timestamptz,
    worker      integer,
    backend     integer,
    rows        bigint,
    message     text,
    check (status not in ('waiting', 'running') or ended_at is null),
    check (status in ('waiting', 'running') or ended_at is not null),
    check ((status = 'running') <= (worker is not null and started_at is not null))
);
create unique index on {agenda} (task) where status = 'waiting';
create unique index on {agenda} (task) where status = 'running';
create index on {agenda} (priority, job) where status = 'waiting';
create index on {agenda} (route) where status = 'running';
create index on {agenda} (task, job desc);
create index on {agenda} (ended_at) where ended_at is not null;
comment on table {agenda} is 'The queue and its history: one row a job. One waiting and one running job a task at most';
comment on column {agenda}.job is 'Number of the job';
comment on column {agenda}.task is 'The task that it runs';
comment on column {agenda}.route is 'The task''s route';
comment on column {agenda}.status is 'waiting, running, or how it ended: done, failed, skipped (not needed or not possible now), lost (its files vanished), cancelled';
comment on column {agenda}.priority is '1 is the most urgent';
comment on column {agenda}.cause is 'Who queued it: the manager, a master that ran, an operator''s retry or run';
comment on column {agenda}.full_load is 'Reads everything, whatever the watermark';
comment on column {agenda}.tries is 'How often it was started';
comment on column {agenda}.queued_at is 'When it was queued';
comment on column {agenda}.not_before is 'It waits at least until then';
comment on column {agenda}.started_at is 'When it was last started';
comment on column {agenda}.ended_at is 'When it ended';
comment on column {agenda}.worker is 'The worker that has it, or had it last';
comment on column {agenda}.backend is 'The server process of the job''s connection, to cancel its queries';
comment on column {agenda}.rows is 'Rows that it wrote';
comment on column {agenda}.message is 'The outcome in a line';

create table {event} (
    event    bigint generated always as identity primary key,
    job      bigint,
    task     text,
    at       timestamptz not null default clock_timestamp(),
    level    text not null check (level in ('info', 'warning', 'error')),
    action   integer,
    message  text not null,
    data     jsonb
);
create index on {event} (job);
create index on {event} (task, event desc);
create index on {event} (at);
comment on table {event} is 'What happened, as it happens: written apart from the job''s own transaction';
comment on column {event}.event is 'Number of the event';
comment on column {event}.job is 'The job that it belongs to, if any';
comment on column {event}.task is 'The task that it belongs to, if any';
comment on column {event}.at is 'When it happened';
comment on column {event}.level is 'info, warning or error';
comment on column {event}.action is 'Which action of the task, from 1';
comment on column {event}.message is 'What happened, for a person';
comment on column {event}.data is 'Details, for example the rows that a check found';

create table {watermark} (
    task         text not null,
    action       integer not null,
    column_name  text not null,
    kind         text not null
        check (kind in ('integer', 'decimal', 'float', 'text', 'date', 'timestamp', 'timestamptz')),
    value        text not null,
    job          bigint not null,
    moved_at     timestamptz not null default now(),
    primary key (task, action)
);
comment on table {watermark} is 'How far each task has read its source; moved in the same commit as its rows';
comment on column {watermark}.task is 'Task id';
comment on column {watermark}.action is 'Which action of the task, from 1';
comment on column {watermark}.column_name is 'The column that is watched';
comment on column {watermark}.kind is 'The kind of value, so that it goes back to the source as it came';
comment on column {watermark}.value is 'The highest value read';
comment on column {watermark}.job is 'The job that moved it last';
comment on column {watermark}.moved_at is 'When it was moved';

create table {migration} (
    scope       text not null,
    number      integer not null,
    name        text not null,
    checksum    text not null,
    applied_at  timestamptz not null default now(),
    primary key (scope, number)
);
comment on table {migration} is 'SQL steps that were applied, each once';
comment on column {migration}.scope is '`registry`, `warehouse` (its ver/ folder), or a task id (its ver/ folder)';
comment on column {migration}.number is 'The number that the file name starts with';
comment on column {migration}.name is 'The file name';
comment on column {migration}.checksum is 'SHA-256 of the file as it was applied';
comment on column {migration}.applied_at is 'When it was applied';
