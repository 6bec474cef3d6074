"""SQL Server as a warehouse. No server is there: its statements are parsed, its flow is watched."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pymssql
import pytest
import sqlglot
from sqlglot import exp

from dapu.errors import ConfigurationError, JobError
from dapu.execute.client import ExecuteAnswer
from dapu.execute.documents import Incoming
from dapu.execute.helper_views import plan_views
from dapu.execute.mssql_login import read_dsn
from dapu.execute.mssql_target import DIALECT, MssqlTarget
from dapu.execute.schema import read_schema
from dapu.execute.target import MarkStep

DSN = "sqlserver://loader:p%40ss-word@db.example.com:1444?database=Execute"
SCHEMA = {
    "AFE": {
        "NAME": {"TYPE": "TEXT"},
        "N": {"TYPE": "INTEGER"},
        "D": {"TYPE": "DECIMAL"},
        "B": {"TYPE": "BOOLEAN"},
        "T": {"TYPE": "DATETIME"},
        "L": {"TYPE": "DATETIME", "DATE_UNZONED": True},
        "C": {"TYPE": "DOCUMENT"},
        "MAP": {"TYPE": "MAP"},
        "O'DD [x]": {"TYPE": "TEXT"},
        "OWNER": {
            "TYPE": "RECORD LIST",
            "RECORD_TYPE": {
                "LISTITEM_ID": {"TYPE": "GUID"},
                "SHARE": {"TYPE": "RECORD LIST", "RECORD_TYPE": {"PCT": {"TYPE": "DECIMAL"}}},
                "EMPTY": {"TYPE": "RECORD", "RECORD_TYPE": {}},
            },
        },
    }
}


class Server:
    """Keeps what it is told, in place of a connection to a server."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self.mark: str | None = None
        self.fails_at = ""
        self.row: tuple[Any, ...] | None = None
        self.rowcount = 3

    def cursor(self) -> Server:
        return self

    def execute(self, text: str, values: Any = None) -> None:
        self.told.append((text, values))
        if self.fails_at and self.fails_at in text:
            raise pymssql.OperationalError(1205, b"deadlock victim")
        self.row = (self.mark,) if text.startswith("select MARK") else (None,)

    def fetchone(self) -> tuple[Any, ...] | None:
        return self.row

    def commit(self) -> None:
        self.told.append(("commit", None))

    def rollback(self) -> None:
        self.told.append(("rollback", None))

    def close(self) -> None:
        self.told.append(("close", None))

    def said(self) -> list[str]:
        """The first word of each statement."""
        code = (re.sub(r"^--.*\n", "", text, flags=re.MULTILINE) for text, _ in self.told)
        return [text.split(maxsplit=1)[0] for text in code]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setattr(pymssql, "connect", lambda **_: server)
    return server


@pytest.fixture
def target(server: Server) -> MssqlTarget:
    return MssqlTarget(DSN)


def documents(count: int) -> Iterator[bytes]:
    for number in range(count):
        document = {"$TYPE": "AFE", "DOCUMENT_ID": f"{number}", "$VERSION": 1, "$DELETED": False}
        yield json.dumps(document | {"$DATE": "2024-01-02T03:04:05.6Z"}).encode() + b"\n"


def load(target: MssqlTarget, count: int, before: str | None = None) -> None:
    answer = ExecuteAnswer("x", "m2", truncated=False, blocks=iter(()), stop=lambda: None)
    target.load(answer, Incoming(documents(count), "x", 10), MarkStep("http://e", before, "m2"))


def test_all_statements_are_transact_sql(server: Server, target: MssqlTarget) -> None:
    target.prepare()
    target.mark("http://e")
    target.is_empty()
    load(target, 2)
    target.create_views(read_schema(json.dumps(SCHEMA).encode()))
    target.prune()
    kinds = set()
    for text, values in server.told:
        if text in ("commit", "rollback"):
            continue
        filled = text % (dict.fromkeys(values, "'x'") if isinstance(values, dict) else
                         ("'x'",) * len(values)) if values else text  # fmt: skip
        for parsed in sqlglot.parse(filled, read="tsql", error_level=sqlglot.ErrorLevel.RAISE):
            assert parsed is not None
            kinds.add(type(parsed))
    assert {exp.Insert, exp.Update, exp.Select, exp.Delete, exp.Create} <= kinds


def test_views_say_where_each_value_is() -> None:
    views = plan_views(read_schema(json.dumps(SCHEMA).encode()), (), 128)
    texts = {view.name: DIALECT.query(view) for view in views}
    assert list(texts) == ["AFE", "AFE_OWNER", "AFE_OWNER_SHARE", "AFE_OWNER_EMPTY"]
    assert "f.[NAME] as [NAME]" in texts["AFE"]
    assert """[NAME] nvarchar(max) '$."NAME"'""" in texts["AFE"]
    assert """[C] nvarchar(max) '$."C"."DOCUMENT_ID"'""" in texts["AFE"]
    assert """[O'DD [X]]] nvarchar(max) '$."O''DD [x]"'""" in texts["AFE"]
    assert "d.CHUNK = 0" in texts["AFE"]
    share = texts["AFE_OWNER_SHARE"]
    assert """cross apply openjson(d.DATA, '$."OWNER"') l1 """ in share
    assert """cross apply openjson(l1.value, '$."SHARE"') l2 """ in share
    assert """json_value(l1.value, '$."LISTITEM_ID"') as [OWNER_LISTITEM_ID]""" in share
    assert "outer apply openjson(l2.value) with ([PCT] decimal(38, 15)" in share
    assert "outer apply" not in texts["AFE_OWNER_EMPTY"]


def test_a_batch_and_its_mark_are_one_commit(server: Server, target: MssqlTarget) -> None:
    server.mark = "m1"
    load(target, 250, before="m1")
    assert server.said() == [
        "insert", "commit", "update", "select", "select", "insert", "insert", "insert", "update",
        "commit",
    ]  # fmt: skip
    rows = [values for text, values in server.told if "insert into EXECUTE_DOCUMENTS" in text]
    assert [len(values) // 9 for values in rows] == [100, 100, 50]
    assert rows[0][1:9] == ("AFE", "0", 1, 0, None, "2024-01-02T03:04:05.6", False, rows[0][8])
    assert server.told[-2][1] == {"source": "http://e", "after": "m2"}


def test_a_failure_rolls_back(server: Server, target: MssqlTarget) -> None:
    server.fails_at = "set MARK"
    with pytest.raises(JobError, match=r"SQL Server says: .*deadlock victim"):
        load(target, 1)
    assert server.said()[-2:] == ["update", "rollback"]


def test_a_mark_that_another_moved_stops_the_batch(server: Server, target: MssqlTarget) -> None:
    server.mark = "m1b"
    with pytest.raises(JobError, match="another process has moved the mark of http://e on from m1"):
        load(target, 1, before="m1")
    assert server.said()[-1] == "rollback"


@pytest.mark.parametrize(
    ("dsn", "keywords"),
    [
        (
            DSN,
            {"server": "db.example.com", "port": "1444", "database": "Execute",
             "user": "loader", "password": "p@ss-word"},
        ),
        (
            "sqlserver://db/INSTANCE?database=Execute&trusted_connection=yes",
            {"server": "db\\INSTANCE", "port": "1433", "database": "Execute"},
        ),
        (
            "sqlserver://db?database=E&trusted_connection=yes&encrypt=disable"
            "&TrustServerCertificate=true",
            {"server": "db", "port": "1433", "database": "E", "encryption": "off"},
        ),
    ],
)  # fmt: skip
def test_the_known_client_s_dsn_is_understood(dsn: str, keywords: dict[str, Any]) -> None:
    assert read_dsn(dsn) == keywords


@pytest.mark.parametrize(
    ("dsn", "message"),
    [
        ("sqlserver://u:pw-x@host", "cannot be read; write sqlserver://user:password@host"),
        ("mssql://u:pw-x@host?database=x", "cannot be read"),
        (
            "sqlserver://u:pw-x@host?database=x&encript=no",
            "has an unknown `encript`; did you mean `encrypt`",
        ),
        ("sqlserver://u:pw-x@host?database=x&encrypt=strict", "`encrypt=strict`, which its"),
        ("sqlserver://u:pw-x/y@host?database=x", "cannot be read; write"),
        ("sqlserver://u:pw-x@[host?database=x", "cannot be read; write"),
    ],
)
def test_a_dsn_that_is_none_is_reported(dsn: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_dsn(dsn)
    assert message in str(raised.value)
    assert "pw-x" not in str(raised.value)
