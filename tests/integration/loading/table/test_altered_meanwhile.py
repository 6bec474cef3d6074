"""What somebody makes on a table by hand while `load: replace` builds the new one is not lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from threading import Thread
from typing import Any

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.errors import JobError
from dapu.loading.modes.replace import replace
from dapu.loading.table import swap
from dapu.loading.table.relation import describe
from dapu.rows.rows import Column, CopyRows
from dapu.statement import TableName
from tests.conftest import Database
from tests.support.command import wait_until

NAME = TableName("staging", "invoice")
TABLE = """
    create schema staging;
    create table staging.invoice (id bigint constraint invoice_pk primary key, amount numeric);
    alter table staging.invoice add check (amount <> 0);
    comment on column staging.invoice.id is 'The number on paper';
    create index old on staging.invoice (amount);
    comment on index staging.old is 'Old';
    create view staging.total as select sum(amount) from staging.invoice
"""
Execute = Callable[[str], None]


@pytest.fixture
def execute(database: Database) -> Iterator[Execute]:
    """Runs a statement in a session of its own."""
    with closing(database.connect()) as session, session.cursor() as cursor:
        session.autocommit = True
        yield cursor.execute


@pytest.fixture
def table(execute: Execute) -> None:
    """The table that is loaded."""
    execute(TABLE)


def load(session: PgSession, while_read: Callable[[], object] = lambda: None) -> str:
    """Loads a row. while_read: what happens in the middle."""

    def write(file: Any) -> None:
        while_read()
        file.write(b"1,2\n")

    rows = CopyRows([Column("id", "bigint"), Column("amount", "numeric")], "csv", write)
    with session, session.cursor() as cursor:
        return str(replace(cursor, NAME, describe(cursor, NAME), rows))


def fetch(session: PgSession, query: str) -> list[Any]:
    with session, session.cursor() as cursor:
        cursor.execute(query)
        return [row[0] for row in cursor.fetchall()]


def before_the_lock(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Once all is copied, and the lock is waited for."""
    take = swap.lock

    def lock(*given: Any) -> None:
        happens()
        monkeypatch.undo()
        take(*given)

    monkeypatch.setattr(swap, "lock", lock)


COMMENTS = "select description from pg_description where objoid = 'staging.invoice'::regclass"


@pytest.mark.usefixtures("table")
def test_what_is_made_while_rows_are_read_is_taken_over(
    connection: PgSession, execute: Execute
) -> None:
    def alter() -> None:
        execute("create index new on staging.invoice (id, amount)")
        execute("comment on column staging.invoice.id is null")
        execute("comment on column staging.invoice.amount is 'In euros'")
        execute("comment on constraint invoice_amount_check on staging.invoice is 'Paid'")
        execute("create statistics staging.together on id, amount from staging.invoice")
        execute("create view staging.other as select id from staging.invoice")
        execute("grant select on staging.invoice to public")

    load(connection, alter)
    indexes = "select relname::text from pg_class where relkind = 'i' and relnamespace = "
    assert set(fetch(connection, f"{indexes}'staging'::regnamespace")) == {
        "invoice_pk", "old", "new"
    }  # fmt: skip
    assert fetch(connection, COMMENTS) == ["In euros"]
    assert fetch(
        connection,
        "select obj_description(oid) from pg_constraint where conname = 'invoice_amount_check'",
    ) == ["Paid"]
    assert fetch(connection, "select stxname::text from pg_statistic_ext") == ["together"]
    assert fetch(connection, "select id from staging.other") == [1]
    grant = "select has_table_privilege('pg_monitor', 'staging.invoice', 'select')"
    assert fetch(connection, grant) == [True]


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("alteration", "told"),
    [
        (
            "create index new on staging.invoice (id, amount)",
            "was altered while it was loaded: it has "
            "CREATE INDEX new ON invoice USING btree (id, amount); nothing was lost, and the next",
        ),
        (
            "alter index staging.old rename to older",
            "it has no more CREATE INDEX old ON invoice USING btree (amount)",
        ),
        (
            "comment on index staging.old is 'Older'",
            "it has comment on index staging.old is 'Older'; it has no more",
        ),
        (
            "comment on column staging.invoice.amount is 'In euros'",
            "it has comment on column staging.invoice.amount is 'In euros'",
        ),
        (
            "alter table staging.invoice alter amount set statistics 7",
            "it has alter table staging.invoice alter column amount set statistics 7",
        ),
        (
            "alter table staging.invoice set (fillfactor = 70)",
            "it has the option fillfactor=70",
        ),
        (
            "create statistics staging.together on id, amount from staging.invoice",
            "it has create statistics staging.together (ndistinct, dependencies, mcv) on id, ",
        ),
        (
            "create table staging.line (invoice bigint references staging.invoice)",
            "staging.invoice is read by constraint line_invoice_fkey on table staging.line since "
            "it began to be loaded; nothing was lost",
        ),
        (
            "create trigger t before update on staging.invoice for each row "
            "execute function suppress_redundant_updates_trigger()",
            "has the trigger t since",
        ),
        ("create publication p for table staging.invoice", "is in the publication p since"),
        ("create materialized view staging.m as select * from staging.invoice", "materialized"),
    ],
)  # fmt: skip
def test_what_is_made_later_fails_the_load_and_is_taken_over_by_the_next(
    connection: PgSession,
    execute: Execute,
    monkeypatch: pytest.MonkeyPatch,
    alteration: str,
    told: str,
) -> None:
    before_the_lock(monkeypatch, lambda: execute(alteration))
    with pytest.raises(JobError) as failure:
        load(connection)
    assert told in str(failure.value)
    assert "dapu_new" not in str(failure.value)
    before = fetch(connection, BELONGINGS)
    load(connection)
    assert fetch(connection, BELONGINGS) == before
    assert fetch(connection, "select amount from staging.invoice") == [2]


BELONGINGS = """
    select array[pg_get_indexdef(indexrelid), obj_description(indexrelid, 'pg_class')]::text as what
    from pg_index where indrelid = 'staging.invoice'::regclass
    union all select pg_get_constraintdef(oid) from pg_constraint
    where conrelid = 'staging.invoice'::regclass and contype <> 'c'
    union all select col_description(attrelid, attnum) || coalesce(attstattarget, -1)
    from pg_attribute where attrelid = 'staging.invoice'::regclass
    union all select tgname from pg_trigger where tgrelid = 'staging.invoice'::regclass
    and not tgisinternal
    union all select pg_get_statisticsobjdef(oid) from pg_statistic_ext
    union all select reloptions::text from pg_class where oid = 'staging.invoice'::regclass
    order by what
"""


@pytest.mark.usefixtures("table")
def test_grants_and_the_comment_are_taken_over_until_the_lock(
    connection: PgSession, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute("comment on table staging.invoice is 'Invoices'")

    def alter() -> None:
        execute("grant select on staging.invoice to public")
        execute("grant update (amount) on staging.invoice to pg_monitor")
        execute("comment on table staging.invoice is null")

    before_the_lock(monkeypatch, alter)
    load(connection)
    update = "has_column_privilege('pg_monitor', 'staging.invoice', 'amount', 'update')"
    assert fetch(connection, f"select {update}") == [True]
    select = "has_table_privilege('pg_monitor', 'staging.invoice', 'select')"
    assert fetch(connection, f"select {select}") == [True]
    assert fetch(connection, COMMENTS) == ["The number on paper"]


@pytest.mark.usefixtures("table")
def test_an_index_that_is_made_concurrently_is_not_lost(
    connection: PgSession, execute: Execute, database: Database
) -> None:
    execute("drop view staging.total")  # so that the table is what is waited for first
    create = "create index concurrently new on staging.invoice (id, amount)"
    thread = Thread(target=execute, args=[create])
    seen = "select 1 from pg_stat_activity where query like %s and "
    reads, waits = seen + "backend_xmin is not null", seen + "wait_event = 'virtualxid'"

    def begin() -> None:
        with closing(database.connect()) as other, other.cursor() as cursor:
            other.autocommit = True

            def is_there(query: str, text: str) -> bool:
                cursor.execute(query, [text])
                return cursor.fetchone() is not None

            wait_until(lambda: is_there(reads, "copy %"))  # else there is nothing to wait for
            thread.start()
            wait_until(lambda: is_there(waits, create))
        time.sleep(1.2)  # it has looked for a deadlock, which would end it, and not the load

    with pytest.raises(JobError, match="altered by a session that waits for this load to end"):
        load(connection, begin)
    thread.join()
    load(connection)
    valid = "select indisvalid from pg_index where indexrelid = 'staging.new'::regclass"
    assert fetch(connection, valid) == [True]
