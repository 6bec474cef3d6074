"""`load: replace`: the table is exactly the query's result, and all else is as before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as PgSession

from dapu.errors import JobError
from dapu.loading.modes.replace import replace
from dapu.loading.table.relation import describe
from dapu.rows.rows import Column, CopyRows
from dapu.statement import TableName

NAME = TableName("staging", "invoice")
COLUMNS = [Column("id", "bigint"), Column("amount", "numeric")]


def rows(*lines: str) -> CopyRows:
    """Rows in COPY's CSV."""

    def write(file: Any) -> None:
        file.write("\n".join([*lines, ""]).encode())

    return CopyRows(COLUMNS, "csv", write)


def fetch(session: PgSession, query: str) -> list[tuple[Any, ...]]:
    with session.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def load(session: PgSession, *lines: str, **options: Any) -> str:
    with session, session.cursor() as cursor:
        return str(replace(cursor, NAME, describe(cursor, NAME), rows(*lines), **options))


def test_makes_a_missing_table_with_its_key(connection: PgSession) -> None:
    assert load(connection, "1,2.50", "2,3.00", key=["id"]) == "2 rows, table made"
    assert fetch(connection, "select id, amount::text from staging.invoice order by id") == [
        (1, "2.50"),
        (2, "3.00"),
    ]
    with pytest.raises(psycopg2.errors.UniqueViolation):
        load(connection, "1,1", "1,2")


@pytest.mark.parametrize(("columns", "kept"), [(2, 20), (128, 5)])
def test_statistics_of_many_columns_come_from_fewer_rows(
    connection: PgSession, columns: int, kept: int
) -> None:
    names = [f"c{number}" for number in range(columns)]
    lines = [",".join([str(row % 50)] * columns) for row in range(500)]

    def write(file: Any) -> None:
        file.write("\n".join([*lines, ""]).encode())

    wide = CopyRows([Column(name, "integer") for name in names], "csv", write)
    with connection, connection.cursor() as cursor:
        replace(cursor, NAME, None, wide)
        cursor.execute("show default_statistics_target")
        assert cursor.fetchone() == ("100",)
    found = fetch(connection, "select array_length(most_common_freqs, 1) from pg_stats "
                  "where schemaname = 'staging' and tablename = 'invoice'")  # fmt: skip
    assert found == [(kept,)] * columns


def test_keeps_what_belongs_to_the_table(connection: PgSession) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            create schema staging;
            create table staging.invoice (
                id bigint constraint invoice_pk primary key,
                amount numeric(10, 2) not null check (amount > 0),
                entered timestamptz default now());
            create index invoice_amount on staging.invoice (lower(amount::text)) where amount > 1;
            comment on table staging.invoice is 'Invoices';
            comment on column staging.invoice.amount is 'In euros';
            alter table staging.invoice set (fillfactor = 70);
            comment on index staging.invoice_pk is 'The number on paper';
            comment on constraint invoice_pk on staging.invoice is 'One row an invoice';
            alter table staging.invoice alter amount set statistics 7;
            alter table staging.invoice alter id set (n_distinct = -1);
            alter table staging.invoice cluster on invoice_pk;
            alter table staging.invoice set (toast.autovacuum_enabled = false);
            alter table staging.invoice add follows bigint references staging.invoice;
            create statistics staging.of_invoice (ndistinct, mcv)
                on id, amount from staging.invoice;
            create statistics of_length on (length(amount::text)) from staging.invoice;
            comment on statistics staging.of_invoice is 'They go together';
            alter statistics staging.of_invoice set statistics 50;
            create role dapu_test_reader; grant select on staging.invoice to dapu_test_reader;
            grant update (amount) on staging.invoice to public;
            create view staging.total with (security_barrier) as
                select sum(amount) as total from staging.invoice;
            create view staging.twice as select 2 * total as twice from staging.total;
            grant select on staging.total to dapu_test_reader;
            insert into staging.invoice values (9, 9)
            """
        )
    try:
        before = _belongings(connection)
        assert load(connection, "1,2", "2,3") == "2 rows"
        assert _belongings(connection) == before
        assert fetch(connection, "select twice from staging.twice") == [(10,)]
        with pytest.raises(JobError, match=r"check constraint"):
            load(connection, "1,-1")
        assert fetch(connection, "select twice from staging.twice") == [(10,)]
    finally:
        with connection, connection.cursor() as cursor:
            cursor.execute("drop owned by dapu_test_reader; drop role dapu_test_reader")


def test_first_statistics_are_small_where_autovacuum_makes_better_ones(
    connection: PgSession,
) -> None:
    bounds = "select cardinality(histogram_bounds) from pg_stats where tablename = 'invoice'"
    many = [f"{number},{number}" for number in range(20_000)]
    load(connection, *many)
    assert fetch(connection, bounds) == [(21,), (21,)]
    load(connection, *many)
    assert fetch(connection, bounds) == [(21,), (21,)]
    with connection, connection.cursor() as cursor:
        cursor.execute("alter table staging.invoice set (autovacuum_enabled = off)")
    load(connection, *many)
    assert fetch(connection, bounds) == [(101,), (101,)]


def _belongings(session: PgSession) -> list[Any]:
    return [
        fetch(
            session,
            "select pg_get_indexdef(indexrelid), indisclustered, "
            "obj_description(indexrelid, 'pg_class') "
            "from pg_index where indrelid = 'staging.invoice'::regclass order by 1",
        ),
        fetch(
            session,
            "select conname, pg_get_constraintdef(oid), obj_description(oid, 'pg_constraint') "
            "from pg_constraint "
            "where connamespace = 'staging'::regnamespace order by 1",
        ),
        fetch(
            session,
            "select c.relname, c.relacl::text, c.reloptions, x.reloptions, "
            "obj_description(c.oid, 'pg_class') "
            "from pg_class c left join pg_class x on x.oid = c.reltoastrelid "
            "where c.relnamespace = 'staging'::regnamespace order by 1",
        ),
        fetch(
            session,
            "select attname, attacl::text, col_description(attrelid, attnum), "
            "attstattarget, attoptions "
            "from pg_attribute where attrelid = 'staging.invoice'::regclass "
            "and attnum > 0 order by 1",
        ),
        fetch(
            session,
            "select pg_get_statisticsobjdef(oid), stxstattarget, stxowner, "
            "obj_description(oid, 'pg_statistic_ext') from pg_statistic_ext order by 1",
        ),
        fetch(session, "select nspname from pg_namespace where nspname like 'dapu%'"),
    ]


def test_readers_see_the_old_rows_until_the_commit(connection: PgSession, database: Any) -> None:
    load(connection, "1,1")
    reader = database.connect()
    reader.autocommit = True  # it holds no lock between its queries
    with connection.cursor() as cursor:
        replace(
            cursor,
            NAME,
            describe(cursor, NAME),
            _then(lambda: fetch(reader, "select id from staging.invoice"), "2,2"),
        )
    connection.commit()
    assert fetch(reader, "select id from staging.invoice") == [(2,)]
    reader.close()


def _then(during: Any, line: str) -> CopyRows:
    """Rows in whose middle another session reads the table without waiting."""

    def write(file: Any) -> None:
        assert during() == [(1,)]
        file.write(f"{line}\n".encode())

    return CopyRows(COLUMNS, "csv", write)


@pytest.mark.parametrize(
    ("belonging", "why"),
    [
        ("create table staging.line (invoice bigint references staging.invoice)", "line"),
        ("create materialized view staging.m as select * from staging.invoice", "materialized"),
        (
            "create function staging.f() returns bigint language sql "
            "begin atomic select max(id) from staging.invoice; end",
            "function",
        ),
        (
            "create function staging.t() returns trigger language plpgsql as "
            "'begin return new; end'; create trigger tr before insert on staging.invoice "
            "for each row execute function staging.t()",
            "trigger tr",
        ),
        ("alter table staging.invoice add number bigint generated always as identity", "sequence"),
        ("alter table staging.invoice enable row level security", "row security"),
        ("create table staging.other (it staging.invoice)", "type"),
        ("create publication p for table staging.invoice", "publication"),
        ("create publication p for all tables", "publication p"),
        ("create publication p for tables in schema staging", "publication p"),
    ],
)
def test_fills_in_place_where_a_new_table_could_not_take_over(
    connection: PgSession, belonging: str, why: str
) -> None:
    load(connection, "1,1", key=["id"])
    with connection, connection.cursor() as cursor:
        cursor.execute(belonging)
    result = load(connection, "1,5", "2,2")
    assert "in place, since the table" in result
    assert why in result
    assert fetch(connection, "select id, amount from staging.invoice order by id") == [
        (1, 5),
        (2, 2),
    ]


@contextmanager
def as_loader(connection: PgSession, rights: str) -> Iterator[None]:
    """Acts as the role `dapu_test_loader`; rights: SQL that gives it and `dapu_test_ann` some."""
    roles = "dapu_test_ann, dapu_test_loader"
    with connection, connection.cursor() as cursor:
        cursor.execute("create role dapu_test_ann; create role dapu_test_loader")
        cursor.execute(rights)
        cursor.execute("set role dapu_test_loader")
    try:
        yield
    finally:
        with connection, connection.cursor() as cursor:
            cursor.execute(f"reset role; drop owned by {roles} cascade; drop role {roles}")


def test_what_belongs_to_the_table_alone_is_built_anew(connection: PgSession) -> None:
    load(connection, "1,1", key=["id"])
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "alter table staging.invoice add twice bigint generated always as (amount * 2) stored"
        )
    assert "in place" not in load(connection, "1,5", "2,2")
    assert fetch(connection, "select twice from staging.invoice order by id") == [(10,), (4,)]


def test_without_the_right_to_make_a_schema_the_table_is_filled_in_place(
    connection: PgSession,
) -> None:
    load(connection, "1,1")
    rights = "alter schema staging owner to dapu_test_loader;"
    rights += "alter table staging.invoice owner to dapu_test_loader"
    with as_loader(connection, rights):
        assert "the role dapu_test_loader may not make a schema" in load(connection, "1,5", "2,2")
        assert fetch(connection, "select id from staging.invoice order by id") == [(1,), (2,)]


def test_a_view_of_another_role_is_left_alone(connection: PgSession) -> None:
    load(connection, "1,1")
    rights = """
        alter schema staging owner to dapu_test_loader;
        alter table staging.invoice owner to dapu_test_loader;
        grant usage on schema staging to dapu_test_ann;
        grant select on staging.invoice to dapu_test_ann;
        create schema reports authorization dapu_test_ann;
        set role dapu_test_ann;
        create view reports.mine as select id from staging.invoice;
        reset role
        """
    with as_loader(connection, rights):
        result = load(connection, "1,5", "2,2")
        assert "in place, since the table is read by the view reports.mine" in result
        assert fetch(connection, "select amount from staging.invoice") == [(5,), (2,)]


def test_a_table_of_another_role_keeps_its_owner(connection: PgSession) -> None:
    load(connection, "1,1")
    rights = """
        alter table staging.invoice owner to dapu_test_ann;
        grant all on schema staging to dapu_test_loader;
        grant all on staging.invoice to dapu_test_loader
        """
    with as_loader(connection, rights):
        result = load(connection, "1,5", "2,2")
        assert result == "2 rows, in place, since the table belongs to the role dapu_test_ann"


def test_a_value_that_does_not_fit_is_reported_with_column_row_and_value(
    connection: PgSession,
) -> None:
    load(connection, "1,1")
    with pytest.raises(JobError) as caught:
        load(connection, "1,1", "2,two")
    assert str(caught.value) == (
        'the column amount of invoice cannot hold "two" (row 2): '
        'invalid input syntax for type numeric: "two"'
    )
    assert fetch(connection, "select count(*) from staging.invoice") == [(1,)]


def test_a_column_that_the_table_has_not_is_reported_with_what_to_do(connection: PgSession) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("create schema staging; create table staging.invoice (id bigint)")
    with pytest.raises(JobError, match=r'alter table staging.invoice add column "amount" numeric;'):
        load(connection, "1,1")


def test_a_view_that_does_not_fit_the_new_table_is_named(connection: PgSession) -> None:
    load(connection, "1,1")
    with connection, connection.cursor() as cursor:
        cursor.execute("create view staging.v as select amount from staging.invoice")
    assert load(connection, "2,2") == "1 row"
    assert fetch(connection, "select amount from staging.v") == [(2,)]


def test_equal_rows_leave_the_table_untouched_when_asked(connection: PgSession) -> None:
    load(connection, "1,1", "2,")
    file = fetch(connection, "select pg_relation_filepath('staging.invoice')")
    assert load(connection, "2,", "1,1", keep_equal=True) == "2 rows, nothing changed"
    assert fetch(connection, "select pg_relation_filepath('staging.invoice')") == file
    assert load(connection, "2,", "1,1.0", keep_equal=True) == "2 rows"


def test_a_source_that_fails_is_not_taken_for_the_end_of_its_rows(connection: PgSession) -> None:
    load(connection, "1,1")

    def write(file: Any) -> None:
        file.write(b"2,2\n")
        file.flush()
        raise JobError("the line went dead")

    with pytest.raises(JobError, match="the line went dead"), connection.cursor() as cursor:
        replace(cursor, NAME, describe(cursor, NAME), CopyRows(COLUMNS, "csv", write))
    connection.rollback()
    assert fetch(connection, "select id from staging.invoice") == [(1,)]


def test_the_lock_is_not_waited_for_for_ever(
    connection: PgSession, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(connection, "1,1")
    monkeypatch.setattr("dapu.loading.table.swap._LOCK_WAIT", 0.01)
    monkeypatch.setattr("dapu.loading.table.swap._LOCK_PATIENCE", 0.02)
    with database.connect() as other, other.cursor() as cursor:
        cursor.execute("select * from staging.invoice")
        with pytest.raises(JobError, match="in use by others"):
            load(connection, "2,2")


def test_the_advice_quotes_a_name_as_postgresql_does(connection: PgSession) -> None:
    load(connection, "1,1")
    rows = CopyRows([Column("id", "bigint"), Column('a"b', "text")], "csv", lambda _file: None)
    with (
        connection,
        connection.cursor() as cursor,
        pytest.raises(JobError, match='add column "a""b" text;'),
    ):
        replace(cursor, NAME, describe(cursor, NAME), rows)
