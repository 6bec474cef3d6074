"""Values of files: as people and programs write them, and as PostgreSQL reads them."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as some

from dapu.rows.arrow_csv import write_csv
from dapu.rows.column_names import column_names
from dapu.rows.exactness import REMARK
from dapu.sources.files.values.convert_cells import cells_to_text
from dapu.sources.files.values.convert_texts import TextColumn, TextStyle
from dapu.sources.files.values.infer_kind import KindSurvey
from dapu.sources.files.values.kinds import Kind, kind_of
from dapu.sources.files.values.numbers import Mark, decimal, integer
from dapu.sources.files.values.times import DateStyle, iso_date, iso_time

NUMBERS = [
    # text, without a known mark, with a decimal comma, with a decimal point
    ("12", "12", "12", "12"),
    (" -1.50 ", "-1.50", "-1.50 (", "-1.50"),
    ("1,5", "1.5", "1.5", "1,5"),
    ("0,500", "0.500", "0.500", "0,500"),
    ("1,234", "1,234 (", "1.234", "1234"),
    ("1.234", "1.234", "1234", "1.234"),
    ("1 234,50", "1234.50", "1234.50", "1234,50"),
    ("1\u00a0234\u00a0567", "1234567", "1234567", "1234567"),
    ("1'234.50", "1234.50", "1234.50 (", "1234.50"),
    ("1.234,56", "1234.56", "1234.56", "1.234,56"),
    ("1,234.56", "1234.56", "1,234.56 (", "1234.56"),
    ("1,234,567", "1234567", "1,234,567", "1234567"),
    ("1.234.567", "1.234.567", "1234567", "1.234.567"),
    ("\u22125", "-5", "-5", "-5"),
    ("1e5", "1e5", "1e5", "1e5"),
    ("n/a", "n/a", "n/a", "n/a"),
    ("0x1F", "0x1F (", "0x1F (", "0x1F ("),
    ("1_0", "1_0 (", "1_0 (", "1_0 ("),
    ("12,34,5", "12,34,5", "12,34,5", "12,34,5"),
]


def shown(text: str | None) -> str | None:
    """A text as a message has it: without the sign by which its remark is found."""
    return text and text.replace(REMARK, "")


@pytest.mark.parametrize(("text", "unknown", "comma", "point"), NUMBERS)
def test_numbers(text: str, unknown: str, comma: str, point: str) -> None:
    marks: list[Mark | None] = [None, ",", "."]
    for mark, expected in zip(marks, (unknown, comma, point), strict=True):
        found = shown(decimal(text, mark))
        assert found is not None
        assert found.startswith(expected) if expected.endswith("(") else found == expected


def test_thousands_of_people() -> None:
    style = TextStyle(of_people=True)
    for kind in ("integer", "decimal"):
        (found,) = written(cells_to_text(["1.234"], kind, style))
        assert found == "1.234 (a decimal point or thousands? say `decimal`)"
        assert written(cells_to_text([Decimal("2.000")], kind, style))[0] in ("2", "2.000")


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_number_that_no_cell_holds_is_no_number(value: float) -> None:
    """A cell of `1e400`, which the reader of workbooks takes for infinity."""
    for values in ([value], [value, None]):
        assert written(cells_to_text(values, "decimal", TextStyle()))[0] == (
            f"{value} (a number that a cell cannot hold)"
        )


def test_a_blank_is_not_a_number_and_whole_ones_lose_their_zeros() -> None:
    assert decimal("  ", None) is None
    assert integer("12,00", None) == "12"
    assert integer("12.0", None) == "12"
    assert integer("12.5", None) == "12.5"


DATES = [
    ("2024-02-29", "2024-02-29"),
    ("29.2.2024", "2024-02-29"),
    ("29. 02. 2024", "2024-02-29"),
    ("2024/2/29", "2024-02-29"),
    ("20240229", "2024-02-29"),
    ("29/02/2024", "2024-02-29"),
    ("02/29/2024", "2024-02-29"),
    ("3/3/2024", "2024-03-03"),
    ("29-Feb-2024", "2024-02-29"),
    ("February 29, 2024", "2024-02-29"),
    ("2024-02-29 00:00:00", "2024-02-29"),
    ("29.02.2024 0:00", "2024-02-29"),
    ("12024-01-01", "12024-01-01"),
    ("0044-03-15 BC", "0044-03-15 BC"),
    ("infinity", "infinity"),
    ("", None),
    ("02/03/2024", "02/03/2024 (day or month first?"),
    ("30.02.2024", "30.02.2024 (no day of the calendar)"),
    ("2.3.24", "2.3.24 (which century?"),
    ("240229", "240229 (no date)"),
    ("today", "today (no date)"),
    ("45351", "45351 (no date)"),
    ("29.02.2024 10:30", "29.02.2024 10:30 (a time of day"),
    ("2024-02-29T10:30Z", "2024-02-29T10:30Z (a time of day"),
]


@pytest.mark.parametrize(("text", "expected"), DATES)
def test_dates(text: str, expected: str | None) -> None:
    found = shown(iso_date(text, DateStyle()))
    assert found == expected or (expected and "(" in expected and str(found).startswith(expected))


TIMES = [
    ("2024-02-29 10:30", "2024-02-29 10:30", "2024-02-29 10:30"),
    ("2024-02-29T10:30:05.123456", "2024-02-29T10:30:05.123456", "2024-02-29T10:30:05.123456"),
    ("29.2.2024 9:05", "2024-02-29 09:05:00", "2024-02-29 09:05:00"),
    ("2/29/2024 1:30 PM", "2024-02-29 13:30:00", "2024-02-29 13:30:00"),
    ("2/29/2024 12:00 am", "2024-02-29 00:00:00", "2024-02-29 00:00:00"),
    ("29.02.2024 10:30:05,5", "2024-02-29 10:30:05.5", "2024-02-29 10:30:05.5"),
    ("2024-02-29 10:30+02", "2024-02-29 10:30+02 (a time zone", "2024-02-29 10:30+02"),
    ("2024-02-29 10:30:00.1234567", "2024-02-29 10:30:00.1234567 (parts of a microsecond", None),
    ("2024-02-29 10:30:00.1234560", "2024-02-29 10:30:00.1234560", None),
    ("2/3/2024 1:30", "2/3/2024 1:30 (day or month first?", None),
    ("29.2.2024 25:00", "29.2.2024 25:00 (no time)", None),
    ("29.2.2024 13:00 pm", "29.2.2024 13:00 pm (no time)", None),
    ("10:30", "10:30 (no date)", None),
    ("now", "now (no date)", None),
]


@pytest.mark.parametrize(("text", "plain", "zoned"), TIMES)
def test_times(text: str, plain: str, zoned: str | None) -> None:
    found = shown(iso_time(text, DateStyle(), zoned=False))
    assert found == plain or ("(" in plain and str(found).startswith(plain))
    if zoned is not None:
        assert iso_time(text, DateStyle(), zoned=True) == zoned


def test_dates_as_their_writer_says() -> None:
    assert iso_date("02/03/2024", DateStyle("month first")) == "2024-02-03"
    assert iso_date("02.03.2024", DateStyle("month first")) == "2024-02-03"
    assert iso_date("2.3.24", DateStyle(formats=("%d.%m.%y",))) == "2024-03-02"
    refused = iso_date("2.3.2024", DateStyle(formats=("%d.%m.%y",)))
    assert shown(refused) == "2.3.2024 (not as %d.%m.%y)"


CELLS: list[tuple[Kind, Any, str | None]] = [
    ("text", 1001.0, "1001"),
    ("text", 0.1, "0.1"),
    ("text", 1e16, "10000000000000000"),
    ("text", date(2024, 2, 29), "2024-02-29"),
    ("text", time(3, 4), "03:04:00"),
    ("text", timedelta(hours=-30, microseconds=-1), "-30:00:00.000001"),
    ("text", True, "true"),
    ("text", {"a": [Decimal("1.10")]}, '{"a":[1.10]}'),
    ("decimal", 1234.5, "1234.5"),
    ("decimal", "1 234,5", "1234.5"),
    ("decimal", date(2024, 2, 29), "2024-02-29"),
    ("integer", 12.0, "12"),
    ("integer", 12.5, "12.5"),
    ("date", datetime(2024, 2, 29), "2024-02-29"),
    ("date", 20240229.0, "2024-02-29"),
    ("date", 45351.0, "45351 (no date)"),
    ("date", time(3, 4), "03:04:00 (no date)"),
    ("timestamp", date(2024, 2, 29), "2024-02-29"),
    ("timestamp", datetime(2024, 2, 29, 3, 4, 5, 6), "2024-02-29 03:04:05.000006"),
    ("boolean", 1.0, "1"),
    ("json", "a", '"a"'),
    ("json", None, None),
    ("decimal", "", None),
]


def written(array: pa.Array) -> list[str | None]:
    """The values as COPY gets them."""
    file = io.BytesIO()
    write_csv([pa.record_batch([array], names=["v"])], file)
    lines = file.getvalue().decode().replace(REMARK, "").splitlines()
    return [line[1:-1].replace('""', '"') if line[:1] == '"' else line or None for line in lines]


@pytest.mark.parametrize(("kind", "value", "expected"), CELLS)
def test_cells(kind: Kind, value: Any, expected: str | None) -> None:
    """Alone and among others of other types, which takes another way."""
    style = TextStyle(trim=True)
    (alone,) = written(cells_to_text([value], kind, style))
    among = written(cells_to_text(["", value, None], kind, style))[1]
    assert among == expected
    assert alone == expected


@given(some.floats(allow_nan=False, allow_infinity=False))
def test_no_digit_of_a_number_is_lost(value: float) -> None:
    for values in ([value], [value, None]):
        text = written(cells_to_text(values, "decimal", TextStyle()))[0]
        assert text is not None
        assert float(text) == value


TEXT_KINDS = [
    (["1", "-2", "0"], "integer"),
    (["1", "2.50"], "decimal"),
    (["1", "1.5e-05"], "decimal"),
    (["007", "8"], "text"),
    (["+5"], "text"),
    (["1E5"], "text"),
    (["1", "x"], "text"),
    (["true", "False"], "boolean"),
    (["2024-01-02", "02.01.2024"], "date"),
    (["2024-01-02", "2024-01-02 10:30"], "timestamp"),
    (["01/02/2024"], "text"),
    (["2024-01-02T10:30Z", "2024-01-02T10:30:00.5+02:00"], "zoned"),
    (["1", ""], "integer"),
    (["", None], "text"),
    (["9" * 19], "decimal"),
]


@pytest.mark.parametrize(("texts", "kind"), TEXT_KINDS)
@pytest.mark.parametrize("size", [1, 10])
def test_kinds_of_texts(texts: list[str | None], kind: Kind, size: int) -> None:
    survey = KindSurvey(TextStyle(), of_cells=False)
    for start in range(0, len(texts), size):
        survey.see(pa.array(texts[start : start + size], pa.string()))
    assert survey.kind() == kind


CELL_KINDS = [
    ([1.0, 2.0], "integer"),
    ([1.5, 2], "decimal"),
    (["1", "2"], "text"),
    ([1.0, "2"], "integer"),
    ([1.0, "007"], "text"),
    ([True, None], "boolean"),
    ([date(2024, 1, 1), datetime(2024, 1, 1, 3)], "timestamp"),
    ([datetime(2024, 1, 1, tzinfo=UTC)], "zoned"),
    ([{"a": 1}, "x"], "json"),
    ([2**63], "decimal"),
    ([], "text"),
]


@pytest.mark.parametrize(("values", "kind"), CELL_KINDS)
def test_kinds_of_cells(values: list[Any], kind: Kind) -> None:
    survey = KindSurvey(TextStyle(trim=True), of_cells=True)
    survey.see(values)
    assert survey.kind() == kind


@given(some.lists(some.one_of(some.none(), some.text())), some.sampled_from(["date", "timestamp"]))
def test_the_short_way_through_a_column_gives_what_the_long_one_does(
    texts: list[str | None], kind: Kind
) -> None:
    column = TextColumn(kind, TextStyle())
    together = column(pa.array(texts, pa.string())).to_pylist()
    assert together == [column(pa.array([text], pa.string())).to_pylist()[0] for text in texts]


def test_types_of_tables_have_kinds() -> None:
    kinds = {
        "numeric(12,2)": "decimal",
        "character varying(5)": "text",
        "timestamp(0) with time zone": "zoned",
        "timestamp without time zone": "timestamp",
        "uuid": "own",
        "integer[]": "own",
    }
    assert {name: kind_of(name) for name in kinds} == kinds


def test_names_of_columns() -> None:
    texts = ["Käive (EUR)", "käive EUR", "2024", "", "#", "Õ" * 80, "õ" * 80]
    names = column_names(texts)
    assert names[:5] == ["kaive_eur", "kaive_eur_2", "_2024", "column_4", "column_5"]
    assert names[5:] == ["o" * 63, "o" * 61 + "_2"]
