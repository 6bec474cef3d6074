"""SQLite as a warehouse: what its views show of what it cannot hold; `DATA` has all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dapu.errors import JobError
from tests.services.execute_server import ExecuteServer
from tests.support.execute_warehouse import ExecuteWarehouse


@pytest.fixture
def warehouse(tmp_path: Path, execute: ExecuteServer) -> ExecuteWarehouse:
    return ExecuteWarehouse("SQLITE", str(tmp_path / "execute.sqlite"), execute, tmp_path)


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("INTEGER", "9223372036854775807", 2**63 - 1),
        ("INTEGER", "9223372036854775809", 2.0**63),
        ("DECIMAL", "0.1234567890123456789", 0.12345678901234568),
        ("BOOLEAN", "true", 1),
        ("DATETIME", '"2024-05-06T07:08:09+02:00"', "2024-05-06T07:08:09+02:00"),
    ],
)
def test_what_a_view_shows_of_a_value(
    warehouse: ExecuteWarehouse, kind: str, value: str, shown: Any
) -> None:
    text = (
        '{"$TYPE":"AFE","DOCUMENT_ID":"1","$VERSION":1,"$DATE":"2024-01-01T00:00:00Z",'
        f'"$DELETED":false,"X":{value}}}'
    )
    warehouse.server.schema = {"AFE": {"X": {"TYPE": kind}}}
    warehouse.server.put_text(("AFE", "1", 1), text.encode())
    warehouse.push()
    warehouse.create_views()
    assert warehouse.rows("select X from AFE") == [(shown,)]
    assert warehouse.one("select DATA from EXECUTE_DOCUMENTS") == text


def test_a_version_of_more_than_64_bits_is_reported(warehouse: ExecuteWarehouse) -> None:
    warehouse.server.put("AFE", "1", 2**63)
    with pytest.raises(JobError, match="AFE 1, version 9223372036854775808 cannot be stored"):
        warehouse.push()
    assert warehouse.one("select count(*) from EXECUTE_DOCUMENTS") == 0
