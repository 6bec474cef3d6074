-- What a task remembers belongs to what was read, wherever in the task that stands.

alter table {watermark} add source text;
comment on column {watermark}.source is 'What it is the watermark of: agent, query and connection';
alter table {seen} add source text;
comment on column {seen}.source is 'Of what it is a part: agent, pattern and connection';

create temporary table dapu_source on commit drop as
select t.task, a.number as action, concat_ws(' ',
    a.options ->> 'do', a.options ->> 'query', a.options ->> 'path', a.options ->> 'layer',
    a.options ->> 'workbook', a.options ->> 'sheet', a.options ->> 'file',
    a.options ->> 'member', a.options ->> 'records', a.options ->> 'to', a.options ->> 'folder',
    case when a.options ->> 'do' <> 'transform'
        then 'from ' || coalesce(a.options ->> 'connection', r.connection) end) as source
from {registry} t
join {route} r on r.route = t.route
cross join lateral json_array_elements(t.definition -> 'actions')
    with ordinality as a (options, number);

-- Of actions that read the same, and of tasks that are gone, nobody can tell: they read everything.
delete from dapu_source a using dapu_source b
where b.task = a.task and b.source = a.source and b.action <> a.action;
update {watermark} w set source = a.source
from dapu_source a where a.task = w.task and a.action = w.action;
update {seen} s set source = a.source
from dapu_source a where a.task = s.task and a.action = s.action;
delete from {watermark} where source is null;
delete from {seen} where source is null;

-- The column that goes takes the primary key with it.
alter table {watermark} drop column action;
alter table {watermark} alter column source set not null, add primary key (task, source);
alter table {seen} drop column action;
alter table {seen} alter column source set not null, add primary key (task, source, item);
