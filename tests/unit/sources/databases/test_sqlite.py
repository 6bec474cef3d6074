"""The lines that SQLite writes: a real number's text reads back as the same number."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import islice

import apsw
import pytest

from dapu.rows.csv_line_index import LineIndex
from dapu.rows.rows import Column
from dapu.sources.databases.fragments import fragment
from dapu.sources.databases.sqlite.line_sql import count_lines, lines

SEED = 20130101
EDGES = [
    *(0.0, -0.0, math.inf, -math.inf, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308),
    *(1e13, 1e15, 9e15, 2.0**53, 2.0**63, 0.005, 0.015, 1.005, 0.1 + 0.2, 1e22, 1e23, 9.995),
]


def texts(numbers: Iterable[float], case: str) -> Iterator[tuple[float, str]]:
    """Each number, and the text that a line would have of it."""
    session = apsw.Connection(":memory:")
    session.create_scalar_function("dapu_real", lambda *values: repr(values[0]), 1)
    session.execute("create table t (v)")
    with session:
        session.executemany("insert into t values (?)", ((number,) for number in numbers))
    real = {"value": "v", "real": "dapu_real(v)"}
    field = fragment("sqlite.field", value="v", cases=fragment(f"sqlite.{case}", **real))
    yield from session.execute(f"select v, cast({field} as text) from t")


def neighbours(number: float) -> list[float]:
    return [math.nextafter(number, -math.inf), number, math.nextafter(number, math.inf)]


def any_doubles(count: int) -> Iterator[float]:
    """Doubles of all sizes: each pattern of bits is as likely as another."""
    dice = random.Random(SEED)
    while count:
        (number,) = struct.unpack("d", dice.randbytes(8))
        if not math.isnan(number):  # SQLite keeps none
            count -= 1
            yield number


def amounts(count: int) -> Iterator[float]:
    """Numbers with few decimals, and the doubles next to them, which have the same 15 digits."""
    dice = random.Random(SEED)
    for _ in range(count // 3):
        digits = dice.randint(1, 17)
        number = dice.randint(-(10**digits), 10**digits) / 10 ** dice.choice((0, 1, 2, 2, 3, 8))
        yield from neighbours(number)


def assert_same(number: float, text: str) -> None:
    read = float(text)
    assert (read, math.copysign(1, read)) == (number, math.copysign(1, number)), text


@pytest.mark.parametrize("case", ["real_number", "real_text"])
@pytest.mark.parametrize("numbers", [any_doubles, amounts])
def test_random_numbers_read_back(case: str, numbers: Iterator[float]) -> None:
    for number, text in texts(numbers(60_000), case):  # type: ignore[operator]
        assert_same(number, text)


def test_edges_read_back() -> None:
    for edge in EDGES:
        for number, text in texts(neighbours(edge), "real_number"):
            assert_same(number, text)


def test_as_a_decimal_a_number_is_its_shortest_text() -> None:
    for number, text in texts(islice(amounts(30_000), 30_000), "real_number"):
        assert Decimal(text) == Decimal(repr(number))


def test_the_short_way_is_taken_for_amounts() -> None:
    assert dict(texts([12.34, -0.07, 1e12, 1 / 3], "real_number")) == {
        12.34: "1234e-2",
        -0.07: "-7e-2",
        1e12: "100000000000000e-2",
        1 / 3: "0.3333333333333333",
    }


def test_whole_numbers_are_integers_for_a_column_of_integers() -> None:
    assert dict(texts([5.0, -5.5, 1e18, 1e19], "real_whole")) == {
        5.0: "5",
        -5.5: "-5.5",
        1e18: "1000000000000000000",
        1e19: "1e+19",
    }


def test_a_row_of_expected_values_is_written_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(SEED)
    anything = [
        None,
        0,
        -7,
        2.5,
        -1e300,
        5.0,
        "",
        "a",
        'say "so"',
        "two\nlines",
        "\0",
        b"\xff",
        "é",
    ]
    usual = {"bigint": 5, "numeric(9,2)": 2.5, "text": "a,b", "bytea": b"x", "date": "2024-02-29"}
    columns = [Column(name, name) for name in [*usual, "boolean", "text", "real"]]
    values = [f"c{number}" for number in range(len(columns))]
    session = apsw.Connection(":memory:")
    session.create_scalar_function("dapu_real", lambda *values: repr(values[0]), 1)
    session.execute(f"create table t ({', '.join(values)})")
    rows = [
        [
            dice.choice(anything) if dice.random() < 0.1 else usual.get(column.name, 1)
            for column in columns
        ]
        for _ in range(2_000)
    ]
    session.executemany(f"insert into t values ({', '.join('?' * len(columns))})", rows)

    def written() -> list[bytes]:
        start = fragment("sqlite.query", names=", ".join(values))
        query = f"{start} select * from t {lines(columns, values)}"
        return [line for (line,) in session.execute(query)]

    at_once = written()
    monkeypatch.setattr(
        "dapu.sources.databases.sqlite.line_sql._AT_ONCE", 2
    )  # as rows of many columns are
    assert at_once == written()


def test_the_row_of_a_line_is_found_where_texts_have_line_ends() -> None:
    index = LineIndex()
    for rows in ([b'"a\rb"', b"2", b'"3\n\n"'], [b"4", b"5"], [b'6,"\n"', b"7"]):
        count_lines(index, rows, b"".join(row + b"\n" for row in rows))
    # PostgreSQL counts a carriage return in the first row as a line.
    assert [index.row(line) for line in (2, 3, 6, 7, 8, 10, 11)] == [1, 2, 3, 4, 5, 6, 7]
