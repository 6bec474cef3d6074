-- A range that is to be read once more waits beside the task's ordinary job, not in its place.

drop index {agenda_task_idx};
create unique index on {agenda} (task) where status = 'waiting' and span is null;
create unique index on {agenda} (task, span) where status = 'waiting' and span is not null;
comment on table {agenda} is 'The queue and its history: one row a job. One waiting and one running job a task at most, beside waiting ranges';

-- A task that its masters wake keeps a pause of its own, and has no other.

update {registry} set pause = interval '0'
where on_masters and definition #>> '{{run,pause}}' is null;
comment on column {registry}.pause is 'The least time between the end of one run and the next; none by default where on_masters';
