"""Documents with long lists: what is cut is put together again, to the last digit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dapu.errors import FaultyDocument
from dapu.execute import chunking
from dapu.execute.chunking import SplitDocument

DOCUMENT = (
    '{"$TYPE": "AFE", "OWNER": [{"N": 1.10, "S": [1, 2, 3, 4]}, '
    '{"N": 123456789012345678901234567890}, {"T": "a]\\"}"}], '
    '"REC": {"CITY": "Zürich", "L": [1, [2, 3, 4], 3e400]}, "DOCUMENT_ID": "x"}'
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=5)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)
DOCUMENTS = st.dictionaries(TEXTS.filter(lambda key: key != "DOCUMENT_ID"), VALUES, max_size=5)


def chunks(text: str, chunk_size: int, block: int = 7) -> list[str]:
    data = text.encode()
    blocks = (data[start : start + block] for start in range(0, len(data), block))
    document = SplitDocument(blocks, chunk_size)
    try:
        return [b"".join(chunk).decode() for chunk in document.chunks()]
    finally:
        document.close()


def put_together(parts: list[Any]) -> Any:
    """The document whose long lists stand in chunks."""

    def add(to: Any, part: Any) -> None:
        for key, value in part.items():
            if isinstance(value, list) and key in to:
                to[key] += value
            elif isinstance(value, dict) and key in to:
                add(to[key], value)
            else:
                to[key] = value

    whole, *others = parts
    for part in others:
        add(whole, {key: value for key, value in part.items() if key != "DOCUMENT_ID"})
    return whole


def test_a_list_longer_than_a_chunk_leaves_the_document() -> None:
    head, *others = chunks(DOCUMENT, 2)
    assert head == '{"$TYPE":"AFE","REC":{"CITY":"Zürich"},"DOCUMENT_ID":"x"}'
    assert others == [
        '{"DOCUMENT_ID":"x","OWNER":[{"N": 1.10, "S": [1, 2, 3, 4]},'
        '{"N": 123456789012345678901234567890}]}',
        '{"DOCUMENT_ID":"x","OWNER":[{"T": "a]\\"}"}]}',
        '{"DOCUMENT_ID":"x","REC":{"L":[1,[2, 3, 4]]}}',
        '{"DOCUMENT_ID":"x","REC":{"L":[3e400]}}',
    ]


def test_a_list_of_a_chunk_stays() -> None:
    assert chunks('{"A": [1, 2, 3], "B": []}', 3) == ['{"A":[1,2,3],"B":[]}']


@given(DOCUMENTS, st.integers(1, 4), st.integers(1, 50))
def test_nothing_is_lost_however_it_is_cut(
    document: dict[str, Any], chunk_size: int, block: int
) -> None:
    document = {**document, "DOCUMENT_ID": "x"}
    text = json.dumps(document, ensure_ascii=False)
    parts = [json.loads(chunk) for chunk in chunks(text, chunk_size, block)]
    assert max(map(longest_list, parts)) <= chunk_size
    assert put_together(parts) == document


def longest_list(value: Any) -> int:
    """The longest list that is in no other list."""
    if isinstance(value, list):
        return len(value)
    return max(map(longest_list, value.values()), default=0) if isinstance(value, dict) else 0


@given(st.text('{}[]",:\\ 01ae-', max_size=30), st.integers(1, 5))
def test_what_is_not_json_is_refused(text: str, block: int) -> None:
    try:
        is_object = isinstance(chunking.parse(text.encode()), dict)
    except FaultyDocument:
        is_object = False
    try:
        chunks(text, 2, block)
    except FaultyDocument:
        assert not is_object, f"{text} is JSON"
    else:
        assert is_object, f"{text} is not a JSON object"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"A": 1, "A": 2}', "'A' occurs twice"),
        ('{"A": 1, "\\u0041": 2}', "'A' occurs twice"),
        ('{"A": [{"B": 1, "B": 2}]}', 'duplicate key "B"'),
        ('{"A": [1,]}', "`]` where a value must be"),
        ('{"A": [1, 2, 3,]}', "`]` where a value must be"),
        ('{"A": }', "`}` where a value must be"),
        ('{"A": 1,}', 'where `"` must be'),
        ('{"A": 1} {"B": 2}', "something follows"),
        ('{"A": "b', "a string does not end"),
        ('{"A": [{"B": 1', "does not end"),
        ('{"A": NaN}', "expected value"),
        ("[1]", "there is `[` where `{` must be"),
        ("", "there is the end where"),
        ('{"A":' * 200 + "1" + "}" * 200, "in more than 100 others"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(FaultyDocument) as raised:
        chunks(text, 2)
    assert message in str(raised.value)


def test_a_chunk_has_so_many_bytes_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunking, "_CHUNK_BYTES", 10)
    found = chunks('{"A": ["' + "x" * 20 + '", 2, 3]}', 100)
    assert [json.loads(text).get("A") for text in found] == [None, ["x" * 20], [2, 3]]


def test_a_very_long_item_goes_through_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunking, "_CHECKED", 100)
    item = json.dumps({"SUB": [{"I": i, "T": '}]"\\'} for i in range(100)]})
    found = chunks(f'{{"A": [1, {item}, 2], "DOCUMENT_ID": "x"}}', 1)
    assert found[2] == f'{{"DOCUMENT_ID":"x","A":[{item}]}}'


@pytest.mark.parametrize("offset", range(8))
def test_no_piece_begins_or_ends_within_an_escape(
    monkeypatch: pytest.MonkeyPatch, offset: int
) -> None:
    monkeypatch.setattr(chunking, "_BLOCK", 16)
    escapes = "x" * offset + r"\\u0000\u0000\\\n\\\\" * 9
    text = f'{{"A": "{escapes}"}}'
    document = SplitDocument(iter([text.encode()]), 10)
    (pieces,) = [[piece.decode() for piece in chunk] for chunk in document.chunks()]
    document.close()
    assert len(pieces) > 9
    inner = "".join(pieces).removeprefix('{"A":"').removesuffix('"}')
    assert inner == escapes
    pieces[0], pieces[-1] = pieces[0].removeprefix('{"A":"'), pieces[-1].removesuffix('"}')
    assert "".join(json.loads(f'"{piece}"') for piece in pieces) == json.loads(f'"{escapes}"')


def test_numbers_may_have_any_length() -> None:
    digits = "7" * 6_000
    assert chunking.parse(f"[{digits}]".encode()) == [chunking.parse(digits.encode())]
    assert chunks(f'{{"A": {digits}}}', 1) == [f'{{"A":{digits}}}']


def test_half_of_a_surrogate_pair_is_not_text() -> None:
    def blocks() -> Iterator[bytes]:
        yield b'{"A": ["\\ud800", 2, 3]}'

    with pytest.raises(FaultyDocument):
        SplitDocument(blocks(), 1)
