"""Which ranges were read: what touches is one, and what is between others is missing."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dapu.registry.read_ranges import Gap, Range, ReadRange, gaps, merge

ENDS = st.lists(st.integers(0, 30), min_size=2, max_size=2).map(sorted)


@given(st.lists(ENDS, min_size=1, max_size=12))
def test_ranges_hold_what_was_read_and_no_two_touch(reads: list[list[int]]) -> None:
    known: dict[int, Range] = {}
    for number, (low, high) in enumerate(reads):
        merged, replaced = merge(Range(low, high), known)
        known = {n: one for n, one in known.items() if n not in replaced} | {number: merged}
    held = sorted(value for one in known.values() for value in range(one.low, one.high + 1))
    assert held == sorted({value for low, high in reads for value in range(low, high + 1)})
    ordered = sorted(known.values())
    assert all(one.high + 1 < other.low for one, other in pairwise(ordered))


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ((None, 5), (5, 9), (None, 9)),
        ((None, 5), (7, 9), None),
        ((date(2024, 1, 1), date(2024, 1, 31)), (date(2024, 2, 1), date(2024, 2, 3)),
         (date(2024, 1, 1), date(2024, 2, 3))),
        ((datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 23, 59, 59, 999999, tzinfo=UTC)),
         (datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC)),
         (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC))),
        ((1.5, 2.5), (2.6, 3.0), None),
        ((None, "b"), ("b", "a"), (None, "a")),  # the order of texts is the source's own
        (("a", "b"), ("a", "b"), ("a", "b")),
        (("a", "c"), ("b", "d"), None),
    ],
)  # fmt: skip
def test_what_touches(one: Any, other: Any, together: Any) -> None:
    for first, second in ((one, other), (other, one)):
        merged, replaced = merge(Range(*first), {1: Range(*second)})
        assert replaced == ([] if together is None else [1])
        assert merged == Range(*(first if together is None else together))


def test_what_is_missing() -> None:
    def read(low: str | None, high: str, source: str = "a", kind: str = "integer") -> ReadRange:
        return ReadRange(source, "id", kind, low, high, 1, datetime(2024, 1, 1, tzinfo=UTC))

    found = gaps([read(None, "5"), read("9", "12"), read("20", "30"), read("1", "2", source="b"),
                  read(None, "a", "c", "text"), read("x", "y", "c", "text")])  # fmt: skip
    assert found == [Gap("a", "id", "5", "9"), Gap("a", "id", "12", "20")]
