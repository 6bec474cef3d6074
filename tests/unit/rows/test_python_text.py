"""Values of Python drivers in COPY's text format."""

from __future__ import annotations

import enum
import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import ip_address
from typing import Any
from uuid import UUID

import pytest

from dapu.rows.python_text import TypeSurvey, line


class Color(enum.IntEnum):
    RED = 1


class Name(str):
    __slots__ = ()


class Moment(datetime):
    """As pandas and others derive theirs."""


KATHMANDU = timezone(timedelta(hours=5, minutes=45))


@pytest.mark.parametrize(
    ("value", "text", "type_name"),
    [
        (None, "\\N", "text"),
        (True, "t", "boolean"),
        (2**63 - 1, "9223372036854775807", "bigint"),
        (2**63, "9223372036854775808", "numeric"),
        (Color.RED, "1", "bigint"),
        (0.1 + 0.2, "0.30000000000000004", "double precision"),
        (float("nan"), "nan", "double precision"),
        (float("-inf"), "-inf", "double precision"),
        (-0.0, "-0.0", "double precision"),
        (Decimal("1E+2"), "1E+2", "numeric"),
        (Decimal("NaN"), "NaN", "numeric"),
        ("", "", "text"),
        ("\\N", "\\\\N", "text"),
        ("a\tb\nc\rd\\", "a\\tb\\nc\\rd\\\\", "text"),
        (Name("x\t"), "x\\t", "text"),
        (b"\x00\xff", "\\\\x00ff", "bytea"),
        (bytearray(b"a"), "\\\\x61", "bytea"),
        (memoryview(b"a"), "\\\\x61", "bytea"),
        (date(1, 1, 1), "0001-01-01", "date"),
        (datetime(2024, 1, 1, 1, 2, 3, 4), "2024-01-01T01:02:03.000004", "timestamp"),
        (Moment(2024, 1, 1), "2024-01-01T00:00:00", "timestamp"),
        (
            datetime(2024, 1, 1, tzinfo=KATHMANDU),
            "2024-01-01T00:00:00+05:45",
            "timestamp with time zone",
        ),
        (time(1, 2, 3, 4), "01:02:03.000004", "time"),
        (time(1, 2, 3, tzinfo=UTC), "01:02:03+00:00", "time with time zone"),
        (timedelta(days=34, hours=22, minutes=59, seconds=59), "838:59:59.000000", "interval"),
        (timedelta(microseconds=-1), "-0:00:00.000001", "interval"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001", "uuid"),
        (ip_address("::1"), "::1", "text"),
        ([1, None, "é\\"], '[1, null, "é\\\\\\\\"]', "jsonb"),
        ((), "[]", "jsonb"),
    ],
)
def test_a_value_and_its_type(value: Any, text: str, type_name: str) -> None:
    assert line([value]).decode() == text + "\n"
    survey = TypeSurvey(1)
    survey.see([(value,), (None,)])
    assert survey.types() == [type_name]


def test_documents_keep_their_numbers() -> None:
    value = {
        "n": Decimal("123456789012345678901234567890.50"),
        "nan": float("nan"),
        "at": datetime(2024, 1, 1, tzinfo=UTC),
        "id": UUID(int=1),
        "list": [b"\xff", (1.5, True, None), {2: Decimal("1E+2")}],
        "text": "tab\t\\",
    }
    text = line([value]).decode().replace("\\\\", "\\")
    assert json.loads(text, parse_float=Decimal) == {
        "n": Decimal("123456789012345678901234567890.50"),
        "nan": "nan",
        "at": "2024-01-01 00:00:00+00:00",
        "id": "00000000-0000-0000-0000-000000000001",
        "list": ["ff", [Decimal("1.5"), True, None], {"2": Decimal("1E+2")}],
        "text": "tab\t\\",
    }


def test_half_a_character_is_bytes_that_no_text_may_hold() -> None:
    with pytest.raises(UnicodeDecodeError):
        line(["\ud83d"]).decode()


@pytest.mark.parametrize(
    ("values", "type_name"),
    [
        ([1, 2.5], "numeric"),
        ([1, Decimal(1), 2**70], "numeric"),
        ([1, "a"], "text"),
        ([True, 1], "text"),
        ([datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC)], "text"),
        ([date(2024, 1, 1), "0000-00-00"], "text"),
        ([None], "text"),
    ],
)
def test_a_type_for_values_of_several(values: list[Any], type_name: str) -> None:
    survey = TypeSurvey(1)
    survey.see([(value,) for value in values])
    assert survey.types() == [type_name]
