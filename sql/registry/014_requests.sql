-- What `dapu server` was asked for, and the tables in which its callers look for the results. Those
-- are views: a result is what the agenda and the request say, whatever became of server and worker.

create table {request} (
    request       bigint generated always as identity primary key,
    command       text not null check (command in ('spec', 'check', 'discover', 'read')),
    package       text not null,
    version       text not null,
    key           text,
    sync_id       text,
    task_id       text,
    started_by    json,
    parameters    json not null,
    secret        text,
    task          text not null,
    job           bigint,
    result        json,
    error         text,
    then_error    text,
    requested_at  timestamptz not null default now(),
    answered_at   timestamptz,
    check (command <> 'read' or sync_id is not null and task_id is not null),
    check (command in ('spec', 'read') or key is not null)
);
create index on {request} (task, request desc);
create index on {request} (job);
create unique index on {request} (sync_id, task_id) where command = 'read';
comment on table {request} is 'What `dapu server` was asked for: one row a request, with its answer';
comment on column {request}.request is 'Number of the request';
comment on column {request}.command is 'spec, check, discover or read';
comment on column {request}.package is 'The connector: a package, or a connection of connections.yaml';
comment on column {request}.version is 'Its version as it was asked for';
comment on column {request}.key is 'The caller''s `storageKey`, under which it looks for the result';
comment on column {request}.sync_id is 'The caller''s name of what is read: one read of it at once';
comment on column {request}.task_id is 'The caller''s name of this one read';
comment on column {request}.started_by is 'What started it, as the caller says';
comment on column {request}.parameters is 'The other parameters and the catalog, in their order';
comment on column {request}.secret is 'The connector''s configuration, encrypted; null once it was used';
comment on column {request}.task is 'The task that runs it';
comment on column {request}.job is 'The job that runs it';
comment on column {request}.result is 'What the connector answered';
comment on column {request}.error is 'Why it did not';
comment on column {request}.then_error is 'Why what was to follow (`thenRun`) could not be started';
comment on column {request}.requested_at is 'When it was asked for';
comment on column {request}.answered_at is 'When result or error were written';

create table {renewed_config} (
    given       text primary key,
    secret      text not null,
    renewed_at  timestamptz not null default now()
);
comment on table {renewed_config} is 'Configurations that a connector renewed, as with a refresh token that holds once';
comment on column {renewed_config}.given is 'A keyed checksum of the configuration as the caller gives it';
comment on column {renewed_config}.secret is 'What the connector made of it, encrypted';
comment on column {renewed_config}.renewed_at is 'When';

create view {source_spec} as
select distinct on (r.package, r.version) r.package, r.version, r.result as specs,
    coalesce(r.answered_at, a.ended_at) as timestamp,
    case when r.result is null then coalesce(r.error, a.message, a.status) end as error
from {request} r left join {agenda} a on a.job = r.job
where r.command = 'spec' and coalesce(r.answered_at, a.ended_at) is not null
order by r.package, r.version, r.request desc;
comment on view {source_spec} is 'What each connector wants in its configuration: the answers of /spec';

create view {source_check} as
select distinct on (r.key) r.package, r.version, r.key,
    coalesce(r.result ->> 'status', 'FAILED') as status,
    case when r.result is null then coalesce(r.error, a.message, a.status)
        else nullif(r.result ->> 'message', '') end as description,
    coalesce(r.answered_at, a.ended_at) as timestamp
from {request} r left join {agenda} a on a.job = r.job
where r.command = 'check' and coalesce(r.answered_at, a.ended_at) is not null
order by r.key, r.request desc;
comment on view {source_check} is 'Whether each configuration works: the answers of /check';

create view {source_catalog} as
select distinct on (r.package, r.version, r.key) r.package, r.version, r.key,
    r.result as catalog, coalesce(r.answered_at, a.ended_at, r.requested_at) as timestamp,
    case when r.result is not null then 'SUCCESS'
        when r.error is null and a.status in ('waiting', 'running') then 'RUNNING'
        else 'FAILED' end as status,
    case when r.result is null then coalesce(r.error, a.message) end as description
from {request} r left join {agenda} a on a.job = r.job
where r.command = 'discover'
order by r.package, r.version, r.key, r.request desc;
comment on view {source_catalog} is 'The streams that each configuration has: the answers of /discover';

create view {source_state} as
select distinct on (r.sync_id, s.item) r.sync_id,
    case when s.item <> 'all streams' then s.item
        when m.message ->> 'type' = 'GLOBAL' then '_GLOBAL_STATE' else '_LEGACY_STATE' end as stream,
    coalesce(m.message -> 'stream' -> 'stream_state', m.message -> 'global', m.message -> 'data')
        as state,
    s.seen_at as timestamp
from {seen} s
join {request} r on r.task = s.task and r.command = 'read'
cross join lateral (select (s.state ->> 'state')::json as message) m
where s.source = 'connector' and s.state ->> 'state' is not null
order by r.sync_id, s.item;
comment on view {source_state} is 'How far each sync has read, committed together with its rows';

create view {source_task} as
select r.sync_id, r.task_id, r.package, r.version, r.requested_at as started_at,
    coalesce(a.ended_at, e.at, a.started_at, r.requested_at) as updated_at,
    case
        when r.then_error is not null then 'FAILED'
        when a.status = 'waiting' and a.tries = 0 then 'PENDING'
        when a.status in ('waiting', 'running') then 'RUNNING'
        when r.answered_at is not null then 'SUCCESS'
        when a.status = 'cancelled' then 'CANCELLED'
        when a.message like 'timed out%' or 'TIME_EXCEEDED' = any (d.statuses) then 'TIME_EXCEEDED'
        when d.statuses && array['SUCCESS', 'PARTIAL'] then 'PARTIAL'
        else 'FAILED'
    end as status,
    d.description::text as description,
    coalesce(r.then_error, case when a.status <> 'done' then a.message end) as error,
    r.started_by, null::json as metrics
from {request} r
left join {agenda} a on a.job = r.job
left join lateral (
    select x.at, x.data -> 'streams' as streams from {event} x
    where x.job = r.job and x.data ? 'streams' order by x.event desc limit 1) e on true
left join lateral (
    select json_object_agg(s.name, json_strip_nulls(json_build_object(
            'events', coalesce((s.found -> 'rows')::bigint, 0),
            'bytes', coalesce((s.found -> 'bytes')::bigint, 0),
            'status', s.status, 'error', s.found -> 'error')) order by s.place) as description,
        array_agg(s.status) as statuses
    from (
        select n.name, n.place, e.streams -> n.name as found,
            coalesce(e.streams -> n.name ->> 'status', case
                when r.answered_at is not null then 'SUCCESS'
                when a.status in ('waiting', 'running') then 'PENDING'
                when a.status = 'cancelled' then 'CANCELLED' else 'FAILED' end) as status
        from (
            select concat_ws('.', c.stream -> 'stream' ->> 'namespace', c.stream -> 'stream' ->> 'name')
                as name, c.place
            from json_array_elements(r.parameters -> 'catalog' -> 'streams')
                with ordinality as c (stream, place)) n) s) d on true
where r.command = 'read' or r.then_error is not null;
comment on view {source_task} is 'The reads and how they went, stream by stream';

create view {task_log} as
select ('00000000-0000-4000-8000-' || lpad(to_hex(e.event), 12, '0'))::uuid as id,
    case e.level when 'warning' then 'WARN' else upper(e.level) end as level,
    case when e.message ~ '^(error|warning|info): ' then r.package else 'dapu' end as logger,
    e.message, r.sync_id, r.task_id, e.at as timestamp
from {event} e join {request} r on r.job = e.job
where r.command = 'read';
comment on view {task_log} is 'What happened in each read';
