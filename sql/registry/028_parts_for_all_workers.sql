-- Parts of a split load that other workers may read too.

alter table {part} add worker integer;
comment on column {part}.worker is 'The worker that read it for the job; null: the job''s own';

create table {part_offer} (
    offer    text primary key,
    task     text not null,
    action   integer not null,
    job      bigint not null,
    worker   integer not null,
    at_once  integer not null,
    reading  jsonb not null
);
comment on table {part_offer} is 'Split loads that run now, with what other workers must know to read parts of them';
comment on column {part_offer}.offer is 'A name of its own for each time that a job begins to read parts';
comment on column {part_offer}.task is 'Task id';
comment on column {part_offer}.action is 'Which action of the task, from 1';
comment on column {part_offer}.job is 'The job that loads';
comment on column {part_offer}.worker is 'The worker that has the job: the offer ends when it no longer has';
comment on column {part_offer}.at_once is 'How many parts may be read at once, whoever reads them';
comment on column {part_offer}.reading is 'The query with its values, its columns, where its rows go, and the state of the source';
