"""Snowflake as a warehouse, against fakesnow: real statements, run by DuckDB."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import fakesnow
import pytest
import snowflake.connector

from dapu.errors import DapuError, JobError
from dapu.execute import snowflake_target
from dapu.execute.snowflake_target import SnowflakeTarget
from dapu.warehouse.snowflake_login import make_key_pair
from tests.services.execute_server import ExecuteServer, Fault
from tests.support.execute_warehouse import ExecuteWarehouse, another_goes_first

pytestmark = pytest.mark.usefixtures("short_waits")
PLACE = "org-account/DB/PUBLIC?warehouse=WH"
DSN = f"loader:word@{PLACE}"
CONNECT = {"user": "u", "account": "a", "database": "DB", "schema": "PUBLIC"}


class Snowflake(ExecuteWarehouse):
    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with snowflake.connector.connect(**CONNECT) as session:
            cursor = session.cursor()
            cursor.execute(query, values or None)
            return [tuple(row) for row in cursor.fetchall()]


@pytest.fixture
def warehouse(tmp_path: Path, execute: ExecuteServer) -> Iterator[Snowflake]:
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    execute.schema = {"AFE": {"X": {"TYPE": "INTEGER"}}}
    with warnings.catch_warnings(), fakesnow.patch():
        warnings.simplefilter("ignore", UserWarning)
        yield Snowflake("SNOWFLAKE", DSN, execute, tmp_path)


def fill(server: ExecuteServer, count: int = 5) -> None:
    for number in range(count):
        server.put("AFE", f"{number}", X=number)


def staged(warehouse: Snowflake) -> int:
    return len(warehouse.rows("list @EXECUTE_SYNC_STAGE"))


def test_new_documents_and_versions_are_added(warehouse: Snowflake) -> None:
    fill(warehouse.server)
    assert warehouse.push(max_documents=2) == 5
    warehouse.server.put("AFE", "1", 2, X="ne\\w \"'\n,é", author=None)
    assert warehouse.push() == 1
    assert warehouse.push() == 0
    assert warehouse.has_all()
    assert warehouse.mark() == warehouse.server.mark()
    assert staged(warehouse) == 0
    author, data = warehouse.rows("select AUTHOR, DATA from EXECUTE_DOCUMENTS_LATEST "
                                  "where ID = '1'")[0]  # fmt: skip
    assert author is None
    assert json.loads(data)["X"] == "ne\\w \"'\n,é"


def test_numbers_are_stored_as_they_are(warehouse: Snowflake) -> None:
    text = (
        b'{"$TYPE":"AFE","DOCUMENT_ID":"1","$VERSION":1,"$DATE":"2024-01-01T00:00:00Z",'
        b'"$DELETED":false,"A":1.10,"B":12345678901234567890.123456789012345678}'
    )
    warehouse.server.put_text(("AFE", "1", 1), text)
    warehouse.push()
    assert warehouse.one("select DATA::string from EXECUTE_DOCUMENTS") == text.decode()


def test_decimals_of_views_have_23_digits_before_the_point_and_15_after_it(
    warehouse: Snowflake,
) -> None:
    warehouse.server.schema = {"AFE": {"X": {"TYPE": "DECIMAL"}}}
    head = b'"$TYPE":"AFE","$VERSION":1,"$DATE":"2024-01-01T00:00:00Z","$DELETED":false'
    fine, big = (b'{"DOCUMENT_ID":"%d","X":%s,%s}' % (n, x, head)
                 for n, x in enumerate((b"0.1234567890123456789", b"1e23")))  # fmt: skip
    warehouse.server.put_text(("AFE", "0", 1), fine)
    warehouse.push()
    warehouse.create_views()
    assert warehouse.rows("select X from AFE") == [(Decimal("0.123456789012346"),)]
    warehouse.server.put_text(("AFE", "1", 1), big)
    warehouse.push()
    # fakesnow passes DuckDB's own error on when it comes as the rows are fetched.
    errors = (snowflake.connector.errors.ProgrammingError, duckdb.ConversionException)
    with pytest.raises(errors, match="Could not convert"):
        warehouse.rows("select X from AFE")
    assert warehouse.one("select count(*) from AFE") == 2
    assert warehouse.one("select DATA::string from EXECUTE_DOCUMENTS where ID = '1'") == (
        big.decode()
    )


def test_views_at_any_depth(warehouse: Snowflake) -> None:
    fields = {"LISTITEM_ID": {"TYPE": "GUID"}, "N": {"TYPE": "INTEGER"}}
    below = fields | {"SUB": {"TYPE": "RECORD LIST", "RECORD_TYPE": fields}}
    kinds = ["TEXT", "INTEGER", "DECIMAL", "BOOLEAN", "DATETIME", "DOCUMENT", "MAP"]
    warehouse.server.schema = {
        "AFE": {f"F_{kind}": {"TYPE": kind} for kind in kinds}
        | {
            "OWNER": {"TYPE": "RECORD LIST", "RECORD_TYPE": below},
            "REC": {"TYPE": "RECORD", "RECORD_TYPE": {"ODD NAME": {"TYPE": "TEXT"}}},
        }
    }
    owners = [
        {"LISTITEM_ID": f"o{i}", "N": i, "SUB": [{"LISTITEM_ID": "s", "N": i}]} for i in range(5)
    ]
    warehouse.server.put(
        "AFE", "1", OWNER=owners, REC={"ODD NAME": "o'dd"}, F_TEXT="t", F_INTEGER=7, F_DECIMAL=0.1,
        F_BOOLEAN=True, F_DATETIME="2024-05-06T07:08:09Z", F_DOCUMENT={"DOCUMENT_ID": "9"},
    )  # fmt: skip
    warehouse.server.put("AFE", "2", OWNER=None)
    warehouse.push(chunk_size=2)
    warehouse.create_views()
    warehouse.create_views()
    (row,) = warehouse.rows("select * from AFE where DOCUMENT_ID = '1'")
    assert row[5:8] == ("t", 7, Decimal("0.1"))
    assert (row[8], str(row[9])[:19], row[10]) == (1, "2024-05-06 07:08:09", "9")
    assert warehouse.one("select count(distinct LISTITEM_ID) from AFE_OWNER") == 5
    deep = "select OWNER_LISTITEM_ID, LISTITEM_ID, N from AFE_OWNER_SUB order by 1 limit 1"
    assert warehouse.rows(deep) == [("o0", "s", 0)]
    odd = 'select "ODD NAME" from AFE_REC order by DOCUMENT_ID limit 1'
    assert warehouse.rows(odd) == [("o'dd",)]


def test_prune_takes_superseded_batches_and_what_was_left_in_the_stage(
    warehouse: Snowflake,
) -> None:
    fill(warehouse.server)
    warehouse.push()
    warehouse.push(full=True)
    assert warehouse.one("select count(*) from EXECUTE_DOCUMENTS") == 10
    warehouse.sync().prune()
    assert warehouse.one("select count(*) from EXECUTE_DOCUMENTS") == 5
    assert warehouse.has_all()


@pytest.mark.parametrize("fault", ["cut", "bad line", "no mark", 401])
def test_a_faulty_answer_leaves_everything_as_it_was(warehouse: Snowflake, fault: Fault) -> None:
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


@pytest.mark.parametrize("step", ["put", "copy", "update EXECUTE_SYNC set MARK", "commit"])
def test_a_process_that_dies_loses_and_doubles_nothing(
    warehouse: Snowflake, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """It dies right after a step: the session goes without a commit, the stage keeps its file."""
    fill(warehouse.server)
    warehouse.push()
    warehouse.server.put("AFE", "6")

    class Died(BaseException):
        pass

    real = SnowflakeTarget._execute

    def dying(self: SnowflakeTarget, text: str, values: Any = None) -> Any:
        done = real(self, text, values)
        if text.startswith(step):
            monkeypatch.setattr(SnowflakeTarget, "_execute", real)
            raise Died
        return done

    monkeypatch.setattr(SnowflakeTarget, "_execute", dying)
    with pytest.raises(Died):
        warehouse.push()
    assert staged(warehouse) == (step == "put")
    warehouse.push()
    assert warehouse.has_all()
    assert warehouse.one("select count(*) from EXECUTE_DOCUMENTS") == 6
    assert warehouse.mark() == warehouse.server.mark()
    warehouse.sync().prune()
    assert staged(warehouse) == 0


def test_rows_that_are_not_loaded_are_an_error(
    warehouse: Snowflake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(warehouse.server)
    monkeypatch.setattr(snowflake_target, "_csv", lambda row: iter([b"\n"] if row.chunk else []))
    with pytest.raises(JobError, match=r"Snowflake (loaded 0 of 5 rows|says)"):
        warehouse.push()
    assert warehouse.mark() is None


def test_two_at_a_time_cannot_both_win(
    warehouse: Snowflake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(warehouse.server)
    warehouse.push()
    warehouse.server.put("AFE", "6")
    another_goes_first(warehouse, monkeypatch)
    with pytest.raises(JobError, match="another process has moved the mark"):
        warehouse.push()
    assert warehouse.one("select count(*) from EXECUTE_DOCUMENTS") == 6


def test_the_login_is_by_key_pair(warehouse: Snowflake, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    real = snowflake.connector.connect

    def connect(**keywords: Any) -> Any:
        seen.update(keywords)
        return real(**{k: v for k, v in keywords.items() if k != "private_key"})

    pair = make_key_pair(None)
    dsn = f"loader@{PLACE}&authenticator=SNOWFLAKE_JWT&role=R&privateKey={pair.dsn}"
    with monkeypatch.context() as patch:  # undone before the fake is
        patch.setattr(snowflake.connector, "connect", connect)
        warehouse.push(database_dsn=dsn)
    assert isinstance(seen.pop("private_key"), bytes)
    assert seen == {
        "user": "loader", "account": "org-account", "database": "DB", "schema": "PUBLIC",
        "warehouse": "WH", "authenticator": "SNOWFLAKE_JWT", "role": "R",
    }  # fmt: skip
