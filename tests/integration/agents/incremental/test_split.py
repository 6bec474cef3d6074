"""`split`: parts are read several at once, and a load that breaks goes on with those missing."""

from __future__ import annotations

import math
import socket
import sqlite3
import threading
from contextlib import closing, suppress
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dapu.agents.incremental.ranges import equal_parts, regular_parts
from dapu.errors import JobError
from dapu.sources.databases.postgres.source import PostgresSource
from dapu.warehouse.warehouse import open_warehouse
from dapu.worker.worker import Worker
from tests.conftest import Database, MakeWarehouse
from tests.support.one_task import OneTask
from tests.support.rounds import Seen, run_task
from tests.support.sales import TASK, make


@pytest.fixture
def source(source: Any) -> Any:
    """The source, with 101 rows."""
    source(
        "insert into shop.sale select n, timestamp '2024-01-15' + n * interval '1 day', n "
        "from generate_series(1, 100) n; insert into shop.sale values (null, null, 0)"
    )
    return source


@pytest.mark.parametrize(
    ("split", "count"),
    [
        ("{column: id, parts: 16}", 16),
        ("{column: at, every: 1 month}", 4),
        ("{column: id, every: 30, at_once: 1}", 4),
        ("{expression: id % 3, parts: 3}", 3),
    ],
)
def test_every_row_arrives_once(
    make_warehouse: MakeWarehouse, source: Any, split: str, count: int
) -> None:
    folder = make(make_warehouse, f"split: {split}")
    for _ in range(2):
        outcome = run_task(folder, TASK)
        assert outcome.status == "done", outcome.message
        assert f", {count} parts" in outcome.message
    assert source("select count(*), count(distinct id), sum(amount) from staging.sale") == [
        (101, 100, 5050)
    ]
    assert source("select to_regclass('staging.sale__parts')::text") == [(None,)]
    assert source("select count(*) from meta.part") == [(0,)]


def make_breaking(make_warehouse: MakeWarehouse, source: Any) -> Path:
    """A task of four parts, the last of which fails."""
    folder = make(make_warehouse, "split: {column: id, parts: 4, at_once: 1}")
    source(
        "alter table shop.sale add bad int default 1; update shop.sale set bad = 0 where id = 99"
    )
    query = folder / "routes/shop/staging/sale/extract.sql"
    query.write_text("select id, at, amount, 1 / bad as one from shop.sale")
    return folder


def test_a_load_that_breaks_goes_on_with_the_parts_that_are_missing(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    folder = make_breaking(make_warehouse, source)
    outcome = run_task(folder, TASK)
    assert "division by zero" in outcome.message
    assert source("select to_regclass('staging.sale')::text") == [(None,)]
    assert source("select count(*) from meta.part where rows is not null") == [(3,)]
    source("update shop.sale set bad = 1")
    outcome = run_task(folder, TASK)
    assert ", 4 parts, 3 of them read before" in outcome.message
    assert source("select count(*) from staging.sale") == [(101,)]


def test_a_full_load_goes_on_with_its_own_parts_only(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    folder = make_breaking(make_warehouse, source)
    for _ in range(2):
        run_task(folder, TASK, full=True)
        parts = source("select number from meta.part where rows is not null")
        assert len(parts) == 3, "the second job read them anew, and not the fourth alone"
    source("update shop.sale set bad = 1; update meta.agenda set not_before = now()")
    seen = Seen()
    Worker(open_warehouse(folder), seen, minutes=1).run()
    assert ", 4 parts, 3 of them read before" in seen.outcomes[TASK].message


def test_values_that_do_not_fit_follow_the_policy(
    task: OneTask, tmp_path: Path, make_warehouse: MakeWarehouse
) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as shop, shop:
        shop.execute("create table t (id integer, at text, note text)")
        shop.execute("insert into t values (1, '0000-00-00', 'a' || char(0) || 'b'), (9, null, '')")
    url, query = f"url: sqlite:///{tmp_path}/shop.db", {"extract.sql": "select * from t"}
    action = "do: database\nquery: extract.sql\nsplit: {column: id, parts: 2}\n"
    task.has(url, action, query)
    task.make_table("id int, at date, note text")
    message = task.fails()
    assert "staging.thing" in message
    assert "__parts" not in message
    task.has(url, f"{action}zero_dates: null\nnul_characters: remove", query)
    task.run()
    assert task.rows() == [(1, None, "ab"), (9, None, "")]


def test_what_a_domain_refuses_is_reported_with_its_row(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    options = "key: [id]\n    split: {column: id, parts: 2}"
    folder = make(make_warehouse, options, "select id, amount from shop.sale")
    source("create schema staging; create domain price as numeric check (value < 100)")
    source("create table staging.sale (id integer, amount price)")
    source("update shop.sale set amount = case id when 8 then 500 else 5 end")
    said = run_task(folder, TASK).message
    assert 'column amount of staging.sale cannot hold "500" (row ' in said
    assert ", id 8)" in said
    source("update shop.sale set amount = 5")
    outcome = run_task(folder, TASK)
    assert outcome.status == "done", outcome.message
    assert source("select distinct amount from staging.sale") == [(5,)]


@pytest.mark.parametrize("policy", ["null", "reject"])
def test_a_policy_that_parts_cannot_follow_is_refused(
    task: OneTask, tmp_path: Path, policy: str
) -> None:
    action = (
        f"do: database\nquery: extract.sql\nsplit: {{column: id, parts: 2}}\non_bad_value: {policy}"
    )
    task.has(f"url: sqlite:///{tmp_path}/shop.db", action, {"extract.sql": "select * from t"})
    assert task.is_refused().endswith(
        "`split` goes with `on_bad_value: fail`, `zero_dates` and `nul_characters`; leave `split` "
        f"or `on_bad_value: {policy}` out"
    )


def two_actions(task: OneTask, first: str, second: str, database: Database) -> None:
    """A task whose actions bring one row each."""
    server = database.server
    url = f"url: postgresql://{server.username}@/{database.name}?host={server.socket_directory}"
    action = "do: database\nkey: [id]\nload: merge\nquery: first.sql\n"
    second = f"- do: database\n  key: [id]\n  load: merge\n  query: second.sql\n  {second}"
    files = {"first.sql": "select 1 as id", "second.sql": "select 2 as id"}
    task.has(f"{url}&port={server.port}", action + first, files, ", timeout: 30 seconds")
    definition = task.folder / "routes/source/staging/thing/task.yaml"
    definition.write_text(f"{definition.read_text()}{second}\n")


def test_two_actions_may_be_split(task: OneTask, database: Database) -> None:
    split = "split: {column: id, parts: 2}"
    two_actions(task, split, split, database)
    for _ in range(2):
        task.run()
    assert task.rows() == [(1,), (2,)]


def test_a_schema_that_is_not_committed_is_reported(
    task: OneTask, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dapu.agents.incremental.split.LOCK_WAIT", "100ms")
    two_actions(task, "", "split: {column: id, parts: 2}", database)
    assert "an earlier action of this task has made the schema staging" in task.fails()


def test_a_plan_of_another_query_is_not_gone_on_with(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    folder = make(make_warehouse, "split: {column: id, parts: 4, at_once: 1}")
    query = folder / "routes/shop/staging/sale/extract.sql"
    query.write_text("select id, at, case when id = 99 then 1 / 0 else 1 end as x from shop.sale")
    run_task(folder, TASK)
    query.write_text("select id, at, 2 as x from shop.sale")
    outcome = run_task(folder, TASK)
    assert outcome.message.startswith("101 rows, table made, 4 parts in"), outcome.message
    assert source("select distinct x from staging.sale") == [(2,)]


def test_the_first_load_of_a_watermark_is_split_and_the_next_is_not(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    options = "load: append\n    watermark: {column: at}\n    split: {column: id, parts: 4}"
    folder = make(make_warehouse, options)
    assert ", 4 parts" in run_task(folder, TASK).message
    source("insert into shop.sale values (500, '2030-01-01', 1)")
    assert "parts" not in run_task(folder, TASK).message
    assert source("select count(*), max(id) from staging.sale") == [(102, 500)]


def test_all_parts_are_read_in_one_state(
    make_warehouse: MakeWarehouse, source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(make_warehouse, "split: {column: id, parts: 4, at_once: 1}")
    asked, read = list[Any](), PostgresSource.read

    def move_and_read(self: PostgresSource, query: Any, into: Any) -> Any:
        asked.append(query)
        if len(asked) == 3:  # the second part
            source("update shop.sale set id = 101 - id where id in (2, 99)")
        return read(self, query, into)

    monkeypatch.setattr(PostgresSource, "read", move_and_read)
    outcome = run_task(folder, TASK)
    assert outcome.status == "done", outcome.message
    found = "select count(distinct amount), sum(id), sum(amount) from staging.sale"
    assert source(found) == [(101, 5050, 5050)]


def test_a_state_that_is_lost_is_reported(
    make_warehouse: MakeWarehouse, source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PostgresSource, "share", lambda self: "00000003-0000001B-1")
    folder = make(make_warehouse, "split: {column: id, parts: 4}")
    assert ", 4 parts, 4 of them in later states of the source" in run_task(folder, TASK).message
    assert source("select count(*) from staging.sale") == [(101,)]


def test_parts_with_a_row_twice_are_not_kept(make_warehouse: MakeWarehouse, source: Any) -> None:
    folder = make(make_warehouse, "key: [id]\n    split: {column: id, parts: 4}")
    source("update shop.sale set id = 0 where id is null; insert into shop.sale values (7)")
    assert "split by a value that never changes" in run_task(folder, TASK).message
    source("delete from shop.sale where id = 7 and at is null")
    assert ", 4 parts in" in run_task(folder, TASK).message


def test_an_empty_source_is_one_part(make_warehouse: MakeWarehouse, source: Any) -> None:
    source("truncate shop.sale")
    folder = make(make_warehouse, "split: {column: id, parts: 4}")
    assert run_task(folder, TASK).message.startswith("0 rows, table made, 1 part")


@pytest.mark.parametrize(
    ("low", "high", "count", "cuts"),
    [
        (1, 100, 4, [26, 51, 76]),
        (1, 2, 4, [2]),
        (5, 5, 4, []),
        (Decimal("0"), Decimal("1"), 2, [Decimal("0.5")]),
        (date(2024, 1, 1), date(2024, 1, 5), 2, [date(2024, 1, 3)]),
    ],
)
def test_parts_of_equal_width(low: Any, high: Any, count: int, cuts: list[Any]) -> None:
    assert equal_parts(low, high, count) == cuts


def test_parts_of_the_calendar() -> None:
    low, high = datetime(2023, 11, 17, 5), datetime(2024, 2, 1)
    assert regular_parts(low, high, "1 month") == [
        datetime(2023, 12, 1),
        datetime(2024, 1, 1),
        datetime(2024, 2, 1),
    ]
    assert regular_parts(date(2020, 5, 5), date(2022, 1, 1), "1 year") == [
        date(2021, 1, 1),
        date(2022, 1, 1),
    ]
    assert regular_parts(1, 10, 4) == [5, 9]


@pytest.mark.parametrize(("every", "count"), [("1000 years", 7), ("36500 days", 79)])
def test_parts_of_times_without_end_end_with_the_calendar(every: str, count: int) -> None:
    assert len(regular_parts(date(2024, 1, 1), date.max, every)) == count
    assert len(regular_parts(datetime(2024, 1, 1), datetime(9999, 12, 31), every)) == count


@pytest.mark.parametrize(
    ("low", "high", "every"),
    [("a", "b", "1 month"), (1, 9, "7 days"), (date(2020, 1, 1), date(2021, 1, 1), 5),
     (1, 9, 0), (1, 10**9, 1), (date(2020, 1, 1), date(2021, 1, 1), "1 hour")],
)  # fmt: skip
def test_a_length_that_does_not_fit_is_told(low: Any, high: Any, every: Any) -> None:
    with pytest.raises(JobError, match="split"):
        regular_parts(low, high, every)


def test_times_that_sqlite_keeps_as_texts_are_split_by_an_expression(
    task: OneTask, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as session, session:
        session.execute("create table t (id integer, at datetime)")
        rows = [(1, "2024-01-01 10:00"), (2, "2024-05-01 10:00"), (3, None)]
        session.executemany("insert into t values (?, ?)", rows)
    action = "do: database\nquery: extract.sql\nsplit: {{{}, parts: 3}}"
    for by, told in [("column: at", "an `expression`"), ("expression: julianday(at)", "3 parts")]:
        files = {"extract.sql": "select * from t"}
        task.has(f"url: sqlite:///{tmp_path}/shop.db", action.format(by), files)
        assert told in (task.fails() if by == "column: at" else task.run())
    assert [row[0] for row in task.rows()] == [1, 2, 3]


class ShortLived:
    """A way to a server on which no connection lives longer than a second, as behind some
    firewalls.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._path)
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()
                threading.Timer(1.0, self._cut, (client, server)).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def _cut(self, *ends: socket.socket) -> None:
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def test_a_table_arrives_that_takes_longer_than_a_connection_lives(
    make_warehouse: MakeWarehouse, source: Any, database: Database
) -> None:
    server = database.server
    way = ShortLived(str(server.socket_directory / f".s.PGSQL.{server.port}"))
    url = f"postgresql://{server.username}@127.0.0.1:{way.port}/{database.name}?sslmode=disable"
    connections = f"{database.connections_yaml()}- name: shop\n  url: {url}\n"
    source(
        "create function shop.slow(int) returns int stable language sql as "
        "'select 1 from pg_sleep(0.02 + coalesce($1, 0) * 0)'"
    )
    slow = "select id, at, amount, shop.slow(id) as one from shop.sale"

    def load(options: str) -> str:
        folder = make(make_warehouse, options)
        (folder / "connections.yaml").write_text(connections)
        (folder / "routes/shop/route.yaml").write_text("connection: shop")
        (folder / "routes/shop/staging/sale/extract.sql").write_text(slow)
        return run_task(folder, TASK).message

    assert "the source `shop` broke off" in load("load: replace")
    message = ""
    for _ in range(5):  # on a busy machine a part may be cut too; the next run goes on
        message = load("split: {column: id, parts: 20, at_once: 4}")
        if "20 parts" in message:
            break
    assert "20 parts" in message, message
    assert source("select count(*) from staging.sale") == [(101,)]


@pytest.mark.parametrize("bad", [math.nan, math.inf, Decimal("NaN")])
def test_no_parts_lead_up_to_what_is_infinite(bad: Any) -> None:
    why = f"there is a value {bad}, up to which no parts"
    with pytest.raises(JobError, match=why):
        equal_parts(type(bad)(1), bad, 3)
    with pytest.raises(JobError, match=why):
        regular_parts(1, bad, 0.5)


def test_a_length_that_leads_nowhere_is_reported() -> None:
    with pytest.raises(JobError, match=r"split.every 0 months does not fit .* more than 0"):
        regular_parts(date(2020, 1, 1), date(2021, 1, 1), "0 months")
    with pytest.raises(JobError, match="give a duration of whole days"):
        regular_parts(date(2020, 1, 1), date(2021, 1, 1), "1 hour")


def test_a_watermark_of_earlier_days_does_not_hinder_it(task: OneTask, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as shop, shop:
        shop.execute("create table t (id integer)")
        shop.execute("insert into t values (1), (9)")
    url, query = f"url: sqlite:///{tmp_path}/shop.db", {"extract.sql": "select * from t"}
    action = "do: database\nquery: extract.sql\n"
    task.has(url, f"{action}load: append\nwatermark: {{column: id}}", query)
    task.run()
    task.has(url, f"{action}split: {{column: id, parts: 2}}", query)
    assert ", 2 parts" in task.run()
