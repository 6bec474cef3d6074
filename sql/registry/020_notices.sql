-- What people are to be told of: an outbox, written in the commit of what it tells.

create table {notice} (
    notice    bigint generated always as identity primary key,
    kind      text not null check (kind in ('failed', 'failed again', 'recovered', 'late',
        'schema changed', 'rows rejected', 'row count unusual')),
    task      text not null,
    job       bigint,
    occasion  text not null,
    at        timestamptz not null default clock_timestamp(),
    message   text not null,
    unique (kind, task, occasion)
);
create index on {notice} (at);
comment on table {notice} is 'What people are to be told of, written in the commit of what it tells';
comment on column {notice}.notice is 'Number of the notice';
comment on column {notice}.kind is 'Which rule of `notify:` it is for';
comment on column {notice}.task is 'The task that it is about';
comment on column {notice}.job is 'The job that it is about, if any';
comment on column {notice}.occasion is 'The job, or since when the task is late: there is one notice for each';
comment on column {notice}.at is 'When it was written';
comment on column {notice}.message is 'What happened, for a person';

create table {recipient} (
    recipient  text primary key,
    since      timestamptz not null default now()
);
comment on table {recipient} is 'Whom `notify:` names: each gets what happens from the time on when it was first seen';
comment on column {recipient}.recipient is '`name:` in warehouse.yaml';
comment on column {recipient}.since is 'When it was first seen';

create table {message} (
    message     bigint generated always as identity primary key,
    recipient   text not null references {recipient},
    made_at     timestamptz not null default now(),
    begun_at    timestamptz,
    sent_at     timestamptz,
    tries       integer not null default 0,
    not_before  timestamptz not null default now(),
    error       text
);
create index on {message} (recipient, message) where sent_at is null;
comment on table {message} is 'Messages of one or many notices to one recipient';
comment on column {message}.message is 'Number of the message, the same at each try';
comment on column {message}.recipient is 'Who gets it';
comment on column {message}.made_at is 'When its notices were collected';
comment on column {message}.begun_at is 'When the running try began; where none runs, a sender was killed in it, and nobody knows whether it arrived';
comment on column {message}.sent_at is 'When it was taken';
comment on column {message}.tries is 'How often it was tried';
comment on column {message}.not_before is 'When it is tried again';
comment on column {message}.error is 'Why the last try failed';

create table {delivery} (
    recipient  text not null,
    notice     bigint not null references {notice} on delete cascade,
    message    bigint not null references {message} on delete cascade,
    primary key (recipient, notice)
);
create index on {delivery} (message);
comment on table {delivery} is 'Which notice is in which message';
comment on column {delivery}.recipient is 'Who gets it';
comment on column {delivery}.notice is 'The notice';
comment on column {delivery}.message is 'The message that it is in';

-- Whoever ends a job, a worker, the Manager or who frees the jobs of the dead, notes that at its
-- task: so none can forget the notice.
create function {note_ending}() returns trigger language plpgsql
set search_path to pg_catalog, pg_temp as $$
begin
    insert into {notice} (kind, task, job, occasion, message)
    select case
            when new.last_status = 'done' then 'recovered'
            when old.last_status in ('failed', 'lost') then 'failed again'
            else 'failed' end,
        new.task, new.last_job, new.last_job::text, coalesce(a.message, new.last_status)
    from {agenda} a where a.job = new.last_job
    on conflict do nothing;
    return null;
end $$;
create trigger note_ending after update of last_job on {registry} for each row
when (new.last_job is distinct from old.last_job and (new.last_status in ('failed', 'lost')
    or new.last_status = 'done' and old.last_status in ('failed', 'lost')))
execute function {note_ending}();
