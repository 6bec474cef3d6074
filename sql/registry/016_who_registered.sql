-- Who registered a task as it is, and which of its definitions a job ran with.

alter table {registry} add registered_by text;
alter table {registry} add git_commit text;
comment on column {registry}.registered_by is 'Who registered the definition as it is: user@host';
comment on column {registry}.git_commit is 'The commit of git that the files were at; `… with changes` where they are not all as committed; null: they are not in git';
alter table {agenda} add hash text;
comment on column {agenda}.hash is 'The hash of the definition with which it last started, as in the registry';
