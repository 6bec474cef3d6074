"""The first rows of a stream, in each format of COPY."""

from __future__ import annotations

from typing import BinaryIO

import pytest

from dapu.rows.first_rows import first_rows
from dapu.rows.rows import Column, CopyFormat, CopyRows

_A = [Column("a", "text")]


def _binary(*texts: bytes) -> bytes:
    rows = b"".join(b"\0\1" + len(text).to_bytes(4, "big") + text for text in texts)
    return b"PGCOPY\n\xff\r\n\0" + bytes(8) + rows


@pytest.mark.parametrize(
    ("form", "given", "first"),
    [
        ("text", b"a\nb\\nc\nd\ne\n", b"a\nb\\nc\n"),
        ("csv", b'"x\ny"\n"""\n"\nz\n', b'"x\ny"\n"""\n"\n'),
        ("binary", _binary(b"a\n", b"", b"c") + b"\xff\xff", _binary(b"a\n", b"") + b"\xff\xff"),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_source_is_stopped_after_the_first_rows(
    form: CopyFormat, given: bytes, first: bytes, size: int
) -> None:
    sent: list[bytes] = []

    def write(file: BinaryIO) -> None:
        for start in range(0, 100 * len(given), size):
            piece = given[start : start + size] or b"never\n"
            sent.append(piece)
            file.write(piece)

    assert _text(first_rows(CopyRows(_A, form, write), 2)) == first
    assert sum(map(len, sent)) < 4 * len(given)


def test_fewer_rows_than_wanted_are_all() -> None:
    def write(file: BinaryIO) -> None:
        file.write(b"a\n")

    assert _text(first_rows(CopyRows(_A, "text", write), 5)) == b"a\n"


def test_a_source_that_fails_before_has_failed() -> None:
    def write(file: BinaryIO) -> None:
        file.write(b"a\n")
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        first_rows(CopyRows(_A, "text", write), 2)


def _text(rows: object) -> bytes:
    assert isinstance(rows, CopyRows)
    got: list[bytes] = []

    class _File:
        def write(self, data: bytes) -> int:
            got.append(data)
            return len(data)

    rows.write(_File())  # type: ignore[arg-type]
    return b"".join(got)
