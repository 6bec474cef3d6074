"""What drivers tell of a column's type before any value."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from dapu.sources.databases.sqlalchemy.driver_types import described_type

PYTHON = [
    (int, "bigint"), (bool, "boolean"), (float, "double precision"), (Decimal, "numeric"),
    (str, "text"), (bytearray, "bytea"), (datetime, "timestamp"), (date, "date"), (time, "time"),
    (UUID, "uuid"), (SimpleNamespace, None),
]  # fmt: skip


@pytest.mark.parametrize(("code", "type_name"), PYTHON)
def test_types_of_python(code: type, type_name: str | None) -> None:
    described = ("v", code, None, None, None, None, None)
    assert described_type(described, is_mysql=False) == type_name


@pytest.mark.parametrize(
    ("name", "precision", "scale", "type_name"),
    [
        ("DB_TYPE_NUMBER", 9, 0, "bigint"),
        ("DB_TYPE_NUMBER", 38, 0, "numeric"),
        ("DB_TYPE_NUMBER", 0, -127, "numeric"),
        ("DB_TYPE_NUMBER", None, None, "numeric"),
        ("DB_TYPE_DATE", None, None, "timestamp"),
        ("DB_TYPE_TIMESTAMP_TZ", None, None, None),
        ("DB_TYPE_CLOB", None, None, "text"),
    ],
)
def test_types_of_oracle(name: str, precision: Any, scale: Any, type_name: str | None) -> None:
    described = ("V", SimpleNamespace(name=name), None, None, precision, scale, True)
    assert described_type(described, is_mysql=False) == type_name


def test_nothing_and_what_is_not_known() -> None:
    for code in (None, '"NULL"', 3, "UNION(k INTEGER)", "GEOMETRY"):
        described = ("v", code, None, None, None, None, None)
        assert described_type(described, is_mysql=False) is None
