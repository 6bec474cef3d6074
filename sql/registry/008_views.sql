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
comment on column {made_view}.oid is 'Of the view as it was made: one that took its name since is another';
