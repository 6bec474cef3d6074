"""Databricks as a warehouse, against a stand-in: its statements, run by DuckDB."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import databricks.sql
import pytest
import sqlglot
from sqlglot import exp

from dapu.errors import ConfigurationError, DapuError, JobError
from dapu.execute.databricks_login import read_dsn
from dapu.execute.databricks_target import DIALECT, DatabricksTarget
from dapu.execute.helper_views import plan_views
from dapu.execute.schema import read_schema
from dapu.tls import bundle
from tests.services.databricks import Databricks
from tests.services.execute_server import ExecuteServer, Fault
from tests.support.execute_warehouse import ExecuteWarehouse, another_goes_first

pytestmark = pytest.mark.usefixtures("short_waits")
DSN = "token:dapi-s3cret@host.example/sql/1.0/warehouses/w?catalog=main&schema=execute"
RECORD = {"LISTITEM_ID": {"TYPE": "GUID"}, "N": {"TYPE": "INTEGER"}}
SCHEMA = {
    "AFE": {
        "LIST": {"TYPE": "RECORD LIST", "RECORD_TYPE": RECORD | {
            "SUB": {"TYPE": "RECORD LIST", "RECORD_TYPE": RECORD}}},
        "REC": {"TYPE": "RECORD", "RECORD_TYPE": {"O'DD `x`": {"TYPE": "TEXT"}}},
    }
}  # fmt: skip


class InDatabricks(ExecuteWarehouse):
    service: Databricks

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.service.rows(query)


@pytest.fixture
def warehouse(
    tmp_path: Path, execute: ExecuteServer, monkeypatch: pytest.MonkeyPatch
) -> InDatabricks:
    service = Databricks(tmp_path)
    monkeypatch.setattr(databricks.sql, "connect", service.connect)
    execute.schema = {"AFE": {"X": {"TYPE": "INTEGER"}}}
    warehouse = InDatabricks("DATABRICKS", DSN, execute, tmp_path)
    warehouse.service = service
    return warehouse


def fill(server: ExecuteServer, count: int = 5) -> None:
    for number in range(count):
        server.put("AFE", f"{number}", X=number)


def test_new_documents_and_versions_are_added(warehouse: InDatabricks) -> None:
    fill(warehouse.server)
    assert warehouse.push(max_documents=2) == 5
    warehouse.server.put("AFE", "1", 2, X="ne\\w \"'\n,é", author=None)
    assert warehouse.push() == 1
    assert warehouse.push() == 0
    assert warehouse.has_all()
    assert warehouse.mark() == warehouse.server.mark()
    assert warehouse.service.staged() == []
    author, data = warehouse.rows("select AUTHOR, DATA from EXECUTE_DOCUMENTS_LATEST "
                                  "where ID = '1'")[0]  # fmt: skip
    assert author is None
    assert json.loads(data)["X"] == "ne\\w \"'\n,é"


def test_numbers_are_stored_as_they_are_and_a_view_rounds_none_away_in_silence(
    warehouse: InDatabricks,
) -> None:
    warehouse.server.schema = {"AFE": {"X": {"TYPE": "DECIMAL"}}}
    head = b'"$TYPE":"AFE","$VERSION":1,"$DATE":"2024-01-01T00:00:00Z","$DELETED":false'
    fine, big = (b'{"DOCUMENT_ID":"%d","X":%s,%s}' % (n, x, head)
                 for n, x in enumerate((b"1234.10", b"1e23")))  # fmt: skip
    warehouse.server.put_text(("AFE", "0", 1), fine)
    warehouse.push()
    warehouse.create_views()
    assert warehouse.rows("select X from AFE") == [(Decimal("1234.10"),)]
    warehouse.server.put_text(("AFE", "1", 1), big)
    warehouse.push()
    with pytest.raises(Exception, match="Could not convert"):
        warehouse.rows("select X from AFE")
    assert warehouse.one("select DATA from EXECUTE_DOCUMENTS where ID = '1'") == big.decode()


def test_prune_takes_superseded_batches_and_what_was_left_in_the_volume(
    warehouse: InDatabricks,
) -> None:
    fill(warehouse.server)
    warehouse.push()
    warehouse.push(full=True)
    left = warehouse.service.folder / "Volumes" / "left.parquet"
    left.touch()
    assert warehouse.one("select count(*) from EXECUTE_DOCUMENTS") == 10
    warehouse.sync().prune()
    assert warehouse.one("select count(*) from EXECUTE_DOCUMENTS") == 5
    assert warehouse.has_all()
    assert not left.exists()


@pytest.mark.parametrize("fault", ["cut", "bad line", "no mark", 401])
def test_a_faulty_answer_leaves_everything_as_it_was(warehouse: InDatabricks, fault: Fault) -> None:
    fill(warehouse.server)
    warehouse.push()
    mark = warehouse.mark()
    warehouse.server.put("AFE", "6")
    warehouse.server.misbehave(fault)
    with pytest.raises(DapuError):
        warehouse.push()
    assert warehouse.mark() == mark
    assert warehouse.one("select count(*) from EXECUTE_DOCUMENTS") == 5
    warehouse.push()
    assert warehouse.has_all()


@pytest.mark.parametrize("step", ["put", "insert", "remove", "update"])
def test_a_process_that_dies_loses_nothing_and_no_view_shows_a_document_twice(
    warehouse: InDatabricks, step: str
) -> None:
    fill(warehouse.server)
    warehouse.push()
    warehouse.server.put("AFE", "6")
    warehouse.service.dies_after = step
    with pytest.raises(KeyboardInterrupt):
        warehouse.push()
    warehouse.service.dies_after = ""
    warehouse.push()
    assert warehouse.has_all()
    assert warehouse.mark() == warehouse.server.mark()
    warehouse.sync().prune()
    assert warehouse.has_all()
    assert warehouse.one("select count(*) from EXECUTE_DOCUMENTS") == 6
    assert warehouse.service.staged() == []


def test_two_at_a_time_cannot_both_win(warehouse: InDatabricks) -> None:
    fill(warehouse.server)
    warehouse.push()
    warehouse.server.put("AFE", "6")
    another_goes_first(warehouse, pytest.MonkeyPatch())  # its own: that is undone on the way
    with pytest.raises(JobError, match="another process has moved the mark"):
        warehouse.push()
    assert warehouse.one("select count(*) from EXECUTE_DOCUMENTS") == 6


def test_a_mark_that_moves_while_documents_are_stored_is_seen(
    warehouse: InDatabricks, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(warehouse.server)
    real = DatabricksTarget._load

    def load(self: DatabricksTarget, *given: Any) -> None:
        real(self, *given)
        warehouse.rows("update EXECUTE_SYNC set MARK = 'theirs'")

    monkeypatch.setattr(DatabricksTarget, "_load", load)
    with pytest.raises(JobError, match=r"prune` mends"):
        warehouse.push()
    assert warehouse.mark() == "theirs"


def test_a_failure_is_told_and_moves_no_mark(warehouse: InDatabricks) -> None:
    fill(warehouse.server)
    warehouse.service.fails_at = "insert"
    with pytest.raises(JobError, match="Databricks says: no insert today"):
        warehouse.push()
    assert warehouse.mark() is None


def test_a_version_that_a_bigint_cannot_hold_stores_nothing(warehouse: InDatabricks) -> None:
    fill(warehouse.server)
    warehouse.server.put("AFE", "big", 2**63)
    with pytest.raises(JobError, match=r"AFE big, version 9223372036854775808"):
        warehouse.push()
    assert warehouse.one("select count(*) from EXECUTE_DOCUMENTS") == 0


def test_a_date_with_parts_of_a_microsecond_stores_nothing(warehouse: InDatabricks) -> None:
    text = (b'{"$TYPE":"AFE","DOCUMENT_ID":"1","$VERSION":1,"$DELETED":false,'
            b'"$DATE":"2024-01-01T00:00:00.1234567Z"}')  # fmt: skip
    warehouse.server.put_text(("AFE", "1", 1), text)
    with pytest.raises(JobError, match=r"00\.1234567Z, and Databricks"):
        warehouse.push()
    assert warehouse.one("select count(*) from EXECUTE_DOCUMENTS") == 0


def test_views_of_lists_are_statements_of_databricks() -> None:
    texts = {
        view.name: DIALECT.query(view)
        for view in plan_views(read_schema(json.dumps(SCHEMA).encode()), (), 255)
    }
    for text in texts.values():
        assert isinstance(sqlglot.parse_one(text, read="databricks"), exp.Select)
    deep = texts["AFE_LIST_SUB"]
    assert """variant_explode(variant_get(d.DATA, '$["LIST"]', 'variant')) as l1""" in deep
    assert """variant_explode(variant_get(l1.value, '$["SUB"]', 'variant')) as l2""" in deep
    assert """variant_get(l1.value, '$["LISTITEM_ID"]', 'string') as `LIST_LISTITEM_ID`""" in deep
    assert r"""'$["REC"]["O\'DD `x`"]', 'string') as `O'DD ``X```""" in texts["AFE_REC"]


def test_names_that_databricks_has_not_are_told(warehouse: InDatabricks) -> None:
    both = "both ' and \""
    warehouse.server.schema = {
        "AFE": {"X": {"TYPE": "INTEGER"}, both: {"TYPE": "TEXT"}},
        "A.B": {"X": {"TYPE": "INTEGER"}},
    }
    target = DatabricksTarget(DSN)
    target.prepare()
    problems = target.create_views(read_schema(json.dumps(warehouse.server.schema).encode()))
    assert len(problems) == 2
    assert repr(both) in problems[0]
    assert "'A.B'" in problems[1]
    assert "X" in [row[0] for row in warehouse.rows("describe AFE")]


def test_the_login(warehouse: InDatabricks) -> None:
    warehouse.push(database_dsn=f"{DSN}&timeout=60&ansi_mode=true&userAgentEntry=mine&maxRows=5")
    assert warehouse.service.keywords == {
        "server_hostname": "host.example", "_port": 443, "http_path": "/sql/1.0/warehouses/w",
        "access_token": "dapi-s3cret", "catalog": "main", "schema": "execute",
        "session_configuration": {"STATEMENT_TIMEOUT": "60", "ansi_mode": "true"},
        "user_agent_entry": "mine", "enable_telemetry": False,
        "_retry_stop_after_attempts_duration": 300.0, "_tls_trusted_ca_file": bundle(),
        "staging_allowed_local_path": warehouse.service.keywords["staging_allowed_local_path"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("dsn", "named"),
    [
        (DSN.replace("&schema=execute", ""), "cannot be read"),
        (DSN.replace("/sql/1.0/warehouses/w", ""), "cannot be read"),
        (DSN.replace("token:", "me:"), "cannot be read"),
        (DSN.replace("token:dapi-s3cret@", ""), "cannot be read"),
        (DSN.replace("example/", "example:port/"), "cannot be read"),
        (DSN + "&catalogue=x", "did you mean `catalog`"),
        (DSN + "&timeout=soon", "whole seconds"),
        (DSN + "&authType=OauthM2M", "OAuth"),
    ],
)
def test_a_dsn_that_is_none_is_told(dsn: str, named: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_dsn(dsn)
    assert named in str(raised.value)
    assert "s3cret" not in str(raised.value)
