-- What runs after a job's commit is due from that commit on: a worker that ends in between loses nothing.

alter table {agenda} add after_commit text check (after_commit in ('changed', 'unchanged'));
create index on {agenda} (job) where after_commit is not null;
comment on column {agenda}.after_commit is 'What runs after the commit has not run yet; says whether the job changed the table';
