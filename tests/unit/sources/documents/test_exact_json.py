"""JSON, XML and JMESPath in which no value changes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dapu.agents.incremental.newest import Newest
from dapu.errors import FaultyDocument, FaultyPath, JobError
from dapu.sources.documents import exact_json, exact_xml
from dapu.sources.documents.paths import Path

NUMBERS = [
    b"0",
    b"-0",
    b"1.10",
    b"1e400",
    b"-1.5E-7",
    b"0.1234567890123456789012345678",
    b"9" * 5000,
]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_stays_what_it_is(number: bytes) -> None:
    value = exact_json.parse(b'{"n": [' + number + b"]}")
    text = exact_json.dump(value)
    assert Decimal(text.removeprefix('{"n":[').removesuffix("]}")) == Decimal(number.decode())
    assert exact_json.parse(text.encode()) == value


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_what_is_written_is_read_as_it_was(value: Any) -> None:
    try:
        text = exact_json.dump(value).encode()
    except UnicodeEncodeError:  # half of a character
        return
    assert exact_json.parse(text) == value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b'{"a": 1, "b": {"x": 1, "x": 2}}', "has the key 'x' twice in one object"),
        (b"[1, NaN]", "has the number NaN, which JSON has not"),
        (b"[-Infinity]", "has the number -Infinity"),
        (b"[1,]", "is not JSON"),
        (b"\xff\xfe\xff", "is not text of the encoding"),
    ],
)
def test_what_is_not_exactly_json(text: bytes, says: str) -> None:
    with pytest.raises(FaultyDocument, match=says):
        exact_json.parse(text)


def test_other_encodings_of_json() -> None:
    assert exact_json.parse("\ufeff[1]".encode()) == [1]
    assert exact_json.parse('["ü"]'.encode("utf-16")) == ["ü"]
    assert exact_json.parse('["ü"]'.encode("latin-1"), "iso-8859-1") == ["ü"]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a", Decimal("1.10")),
        ("items[?price > `10.1`].id", [2]),
        ("items[?price == `10.1`].id", [1]),
        ("sum(items[].price)", Decimal("20.30")),
        ("max_by(items, &price).id", 2),
        ("to_string(a)", "1.10"),
        ("to_number('1.00000000000000000000001')", Decimal("1.00000000000000000000001")),
        ("to_number('x')", None),
        ("type(a)", "number"),
        ("missing.x", None),
    ],
)
def test_paths_know_exact_numbers(path: str, found: Any) -> None:
    document = exact_json.parse(
        b'{"a": 1.10, "items": [{"id": 1, "price": 10.1}, {"id": 2, "price": 10.20}]}'
    )
    result = Path(path).of(document)
    assert result == found
    assert type(result) is type(found)


def test_paths_that_would_round_or_are_wrong() -> None:
    document = exact_json.parse(b'{"a": [1, 1, 2.0]}')
    with pytest.raises(FaultyPath, match="would round a number; do that in SQL"):
        Path("avg(a)").of(document)
    with pytest.raises(FaultyPath, match=r"Unknown function: nothing\(\)"):
        Path("nothing(a)").of(document)
    with pytest.raises(FaultyPath, match="is not a JMESPath expression"):
        Path("a[")


def test_xml_as_values() -> None:
    text = b"""<o:order xmlns:o="urn:o" id="7"><line>1.0</line><line/><note lang="et"> tere </note>
        <o:mixed>a<b>c</b>d</o:mixed></o:order>"""
    assert exact_xml.parse(text) == {
        "order": {
            "@id": "7",
            "line": ["1.0", ""],
            "note": {"@lang": "et", "#text": " tere "},
            "mixed": {"b": "c", "#text": "ad"},
        }
    }


@pytest.mark.parametrize(
    ("values", "newest"),
    [
        ([1, Decimal("1.5"), 1], Decimal("1.5")),
        (["9", "10"], "10"),
        (["2024-01-01T10:00:00Z", "2024-01-01T11:30:00+02:00"], "2024-01-01T10:00:00Z"),
        (["2024-01-01", "2024-02-01"], "2024-02-01"),
        (["a", "b", "B"], "b"),
    ],
)
def test_the_newest_value(values: list[Any], newest: Any) -> None:
    found = Newest("at")
    for value in values:
        found.see(value)
    assert found.value == newest


def test_values_without_an_order() -> None:
    found = Newest("at")
    found.see("2024-01-01T10:00:00Z")
    with pytest.raises(JobError, match="values of several kinds"):
        found.see("2024-01-01T10:00:00")
