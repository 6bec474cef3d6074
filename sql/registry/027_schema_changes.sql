-- How tables changed by themselves, so that a person can see since when a column is there.

create table {schema_change} (
    number bigint generated always as identity primary key,
    task text not null,
    job bigint not null,
    at timestamptz not null default now(),
    change text not null
);
create index on {schema_change} (task, number);
comment on table {schema_change} is 'How tables were changed by loads: columns that came, went or have another type';
comment on column {schema_change}.number is 'In the order in which they were noted';
comment on column {schema_change}.task is 'Whose table it is';
comment on column {schema_change}.job is 'The job that changed it';
comment on column {schema_change}.at is 'When the job''s transaction began';
comment on column {schema_change}.change is 'What changed, in words: `the new column size (integer) is added`';
