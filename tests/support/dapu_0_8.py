"""A database as dapu 0.8 leaves it; `scripts/from-0.8` has the real one make it."""

from __future__ import annotations

from tests.conftest import Database

REGISTRY = """
create schema {schema};
create table {schema}.version (id serial primary key, created_ts timestamptz default now(),
    folder_alias varchar(100) not null, file_name varchar(200) not null, remarks text,
    constraint ak_version_4_uniq unique (folder_alias, file_name));
create table {schema}.route (id serial primary key, code varchar(50) not null unique,
    name varchar(200) not null, type varchar(50) not null, alias varchar(50) not null default '',
    disabled varchar(200) not null default '', weight int default 10000);
create table {schema}.registry (id serial primary key, task_id varchar(200) not null unique,
    table_version smallint not null default 0, needs_versioning boolean default false,
    full_load int default 0, synced_until_ts timestamptz, synced_until_bigint bigint,
    last_start_ts timestamptz, last_end_ts timestamptz, keep_pause interval,
    priority_class smallint not null default 5, run_morning boolean default true,
    run_workhours boolean default true, run_evening boolean default true, actions jsonb,
    def_ts timestamptz default now(), def_hash varchar(200), source_hash varchar(200),
    disabled varchar(200) not null default '');
create table {schema}.registry_depends (id serial primary key,
    task_id_master varchar(200) not null, task_id_slave varchar(200) not null);
create table {schema}.reconf (id serial primary key, task_id varchar(200),
    task_option varchar(200), task_newvalue varchar(200));
create table {schema}.agenda (id serial primary key, task_id varchar(200) not null,
    status smallint not null default 0, priority smallint not null default 3, worker int,
    last_start_ts timestamptz, last_end_ts timestamptz, failure_count smallint default 0);
create table {schema}.worker (id serial primary key, code varchar(100) unique);
create table {schema}.stopper (id serial primary key, allowed_version int not null,
    paused int not null default 0);
insert into {schema}.stopper (allowed_version) values (2);
"""


def make_registry(database: Database, schema: str = "meta") -> None:
    """Makes the registry of dapu 0.8."""
    execute(database, REGISTRY.format(schema=schema))


def execute(database: Database, statements: str) -> None:
    """Runs what the test says in the warehouse's database."""
    with database.connect() as session, session.cursor() as cursor:
        cursor.execute(statements)
