-- Views that `do: views` makes: the queue of groups, and which views are its own.

create table {view_group} (
    task text not null,
    key text not null,
    position bigint generated always as identity,
    status text not null check (status in ('waiting', 'done', 'failed')),
    hash text not null,
    view_count integer not null,
    views json,
    tries integer not null default 0,
    not_before timestamptz not null default now(),
    message text,
    statement text,
    queued_at timestamptz not null default now(),
    ended_at timestamptz,
    primary key (task, key)
);
create index on {view_group} (task, position) where status = 'waiting';
comment on table {view_group} is 'Groups of views, each made in one transaction: waiting in the queue, made, or failed';
comment on column {view_group}.task is 'The task that makes them';
comment on column {view_group}.key is 'Of the group: the values that tell its row of the query from others';
comment on column {view_group}.position is 'The place in the queue; a group that is queued again goes to its end';
comment on column {view_group}.status is 'waiting, done or failed';
comment on column {view_group}.hash is 'Of all its views: a group is made again when it differs';
comment on column {view_group}.view_count is 'How many views it has';
comment on column {view_group}.tries is 'How often it was tried in vain';
comment on column {view_group}.not_before is 'The earliest time of the next try';
comment on column {view_group}.message is 'Why it failed';
comment on column {view_group}.queued_at is 'When it was queued last';
comment on column {view_group}.ended_at is 'When it was made, or failed';
comment on column {view_group}.views is 'The views to make: name, query, comment, hash; null when they are made';
comment on column {view_group}.statement is 'The statement that failed';

create table {made_view} (
    schema_name text not null,
    view_name text not null,
    oid oid not null,
    task text not null,
    key text not null,
    hash text not null,
    made_at timestamptz not null default now(),
    primary key (schema_name, view_name)
);
create index on {made_view} (task, key);
comment on table {made_view} is 'The views that do: views made; no other is ever replaced or dropped by it';
comment on column {made_view}.schema_name is 'The schema of the view';
comment on column {made_view}.view_name is 'Its name';
comment on column {made_view}.task is 'The task that made it';
comment on column {made_view}.key is 'The group that it belongs to';
comment on column {made_view}.hash is 'Of its query and comment: a view is made again when it differs';
comment on column {made_view}.made_at is 'When it was made last';
comment on column {made_view}.oid is 'Of the view as it was made: one that took its name since is another';
