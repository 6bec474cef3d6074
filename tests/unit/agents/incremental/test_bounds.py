"""Where a load begins and ends to read."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from dapu.agents.incremental.bounds import begin_at, end_at
from dapu.errors import JobError
from dapu.loading.options import WatermarkOptions

ZONE = ZoneInfo("Europe/Tallinn")


def options(**given: Any) -> WatermarkOptions:
    return WatermarkOptions.model_validate({"column": "at", **given})


@pytest.mark.parametrize(
    ("last", "overlap", "begin"),
    [
        (100, 30, 70),
        (100, 0, 100),
        (Decimal("10.5"), 0.5, Decimal("10.0")),
        (datetime(2024, 3, 1, 0, 1), "5 minutes", datetime(2024, 2, 29, 23, 56)),
        (date(2024, 3, 1), "1 day", date(2024, 2, 29)),
        ("2024-03-01 00:01:00", "5 minutes", "2024-02-29 23:56:00"),
        ("2024-03-01T00:01:00Z", "1 hour", "2024-02-29T23:01:00Z"),
        ("2024-03-01T00:01:00.250000", "1 s", "2024-03-01T00:00:59.250000"),
        ("2024-03-01T00:01:00.250+02:00", "1 s", "2024-03-01T00:00:59.250+02:00"),
        ("2024-03-01 10:00", "1 hour", "2024-03-01 09:00"),
        ("2024-03-01 10", "1 hour", "2024-03-01 09"),
        ("2024-03-01", "1 day", "2024-02-29"),
        ("2024-03-01", "12 hours", "2024-02-29"),
        (date(2024, 3, 1), "12 hours", date(2024, 2, 29)),
        (date(2024, 3, 1), "2 days", date(2024, 2, 28)),
        ("anything", None, "anything"),
    ],
)
def test_the_overlap_goes_back_in_the_source_s_own_terms(
    last: Any, overlap: Any, begin: Any
) -> None:
    assert begin_at(options(overlap=overlap), last) == begin


def test_the_first_run_begins_at_initial_or_nowhere() -> None:
    assert begin_at(options(initial="2024-01-01"), None) == "2024-01-01"
    assert begin_at(options(overlap="1 day"), None) is None


@pytest.mark.parametrize(
    ("last", "overlap"), [(5, "1 hour"), ("abc", "1 hour"), ("abc", 3), ("20240101T1000", "1 hour")]
)
def test_an_overlap_that_does_not_fit_is_told(last: Any, overlap: Any) -> None:
    with pytest.raises(JobError, match=r"watermark\.overlap .* does not fit the column at"):
        begin_at(options(overlap=overlap), last)


@pytest.mark.parametrize("wrong", [-5, "-1 day", float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["overlap", "lag"])
def test_a_length_below_nothing_would_leave_rows_out(name: str, wrong: Any) -> None:
    with pytest.raises(ValidationError, match=name):
        options(**{name: wrong})


def test_no_lag_is_none_of_a_number_too() -> None:
    assert end_at(options(lag=0), 7, ZONE) == 7


def test_a_lag_stops_short_of_now() -> None:
    now = datetime.now(UTC)
    end = end_at(options(lag="1 hour"), now, ZONE)
    assert timedelta(minutes=59) < now - end < timedelta(minutes=61)
    local = now.astimezone(ZONE).replace(tzinfo=None)
    assert timedelta(minutes=59) < local - end_at(options(lag="1 hour"), local, ZONE)
    text = local.isoformat(" ", "seconds")
    assert end_at(options(lag="1 hour"), text, ZONE) < text
    old = datetime(2000, 1, 1, tzinfo=UTC)
    assert end_at(options(lag="1 hour"), old, ZONE) == old
    assert end_at(options(lag=10), 100, ZONE) == 90
    assert end_at(options(), 100, ZONE) == 100


def test_an_overlap_that_begins_before_all_times_begins_at_the_beginning() -> None:
    assert begin_at(options(overlap="5 days"), datetime(1, 1, 2)) is None


def test_a_lag_of_time_does_not_fit_numbers() -> None:
    with pytest.raises(JobError, match=r"watermark\.lag .* does not fit the column at"):
        end_at(options(lag="5 days"), 100, ZONE)
