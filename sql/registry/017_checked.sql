-- What checks found, so that a row count can be compared with the usual one.

create table {checked} (
    number bigint generated always as identity primary key,
    task text not null,
    "check" text not null,
    job bigint not null,
    at timestamptz not null default now(),
    fault text,
    count bigint
);
create index on {checked} (task, "check", number);
comment on table {checked} is 'What checks found, in runs that were kept';
comment on column {checked}.number is 'In the order in which they were noted';
comment on column {checked}.task is 'Whose check it is';
comment on column {checked}.job is 'The job that ran it';
comment on column {checked}.at is 'When the job''s transaction began';
comment on column {checked}."check" is 'The check in words: `unique: invoice_id`';
comment on column {checked}.fault is 'Why it did not pass, where that is a warning; null: it passed';
comment on column {checked}.count is 'How many rows the table had, where the check counts them';
