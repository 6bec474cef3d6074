"""Lengths of time as people write them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dapu.durations import parse_duration, show_duration, write_duration


@pytest.mark.parametrize(("text", "length"), [
    ("4 hours", timedelta(hours=4)),
    ("1 hour", timedelta(hours=1)),
    ("90s", timedelta(seconds=90)),
    ("5 min", timedelta(minutes=5)),
    ("1 day 12 hours", timedelta(days=1.5)),
    ("1.5 h", timedelta(hours=1.5)),
    ("2 Weeks", timedelta(weeks=2)),
    (" 3 days ", timedelta(days=3)),
    (0, timedelta(0)),
    ("0", timedelta(0)),
    (timedelta(hours=1), timedelta(hours=1)),
])  # fmt: skip
def test_a_length_of_time_is_read(text: Any, length: timedelta) -> None:
    assert parse_duration(text) == length


@pytest.mark.parametrize("text", [
    "", "4", 4, "hours", "4 months", "4 hours and", "-4 hours", "4 hours 5", "1e3 s", False, None,
    [4],
])  # fmt: skip
def test_anything_else_is_refused_with_an_example(text: Any) -> None:
    with pytest.raises(ValueError, match="is not a length of time; write, for example, `4 hours`"):
        parse_duration(text)


def test_what_no_clock_can_show_is_refused() -> None:
    with pytest.raises(ValueError, match="is longer than 100 years"):
        parse_duration("9999999 days")


@pytest.mark.parametrize(("seconds", "text"), [
    (1.94, "1.9 s"), (250, "4 min 10 s"), (3660, "1 h 1 min"), (51 * 3600, "2 days 3 h"),
])  # fmt: skip
def test_a_length_of_time_is_shown_for_a_person(seconds: float, text: str) -> None:
    assert show_duration(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize("text", ["0 seconds", "1 minute", "90 minutes", "2 hours", "60 days"])
def test_what_is_written_for_a_file_is_read_from_it(text: str) -> None:
    assert write_duration(parse_duration(text)) == text


@pytest.mark.parametrize(
    "seconds", [0, 0.000001, 0.1, 59.999999, 61, 1_234_567, 86_400, 31_536_001]
)
def test_what_is_written_is_read_as_it_was(seconds: float) -> None:
    """In the registry, too, whose definitions people read."""
    value = timedelta(seconds=seconds)
    assert parse_duration(write_duration(value)) == value
    assert "e" not in write_duration(value).partition(" ")[0]
