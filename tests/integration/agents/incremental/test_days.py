"""--from and --to with a day, month or year mean the whole of it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from dapu.agents.incremental.days import whole
from tests.support.one_task import OneTask
from tests.support.rounds import run_task

LAST = datetime(2024, 2, 29, 23, 59, 59, 999_999)


@pytest.mark.parametrize(
    ("kind", "name", "text", "like", "value"),
    [
        ("date", "to", "2024-02", None, date(2024, 2, 29)),
        ("date", "from", "2024", None, date(2024, 1, 1)),
        ("timestamp", "to", "2024-02-29", None, LAST),
        ("date", "from", "2024-02-29 10:00", None, date(2024, 2, 29)),
        ("date", "to", "2024-02-29T23:30:00-03:00", None, date(2024, 3, 1)),
        ("timestamp", "to", "2024-02", None, LAST),
        ("timestamp", "to", "2024", None, LAST.replace(month=12, day=31)),
        ("timestamp", "from", "2024-02", None, datetime(2024, 2, 1)),
        ("timestamptz", "to", "2024-02-29", None, LAST.replace(tzinfo=UTC)),
        ("text", "to", "2024-02", "2024-01-01 10:00:00", "2024-02-29 23:59:59.999999999"),
        ("text", "to", "2024-02", "2024-01-01T10:00:00Z", "2024-02-29T23:59:59Z"),
        ("text", "to", "2024-02", "2024-01-01T10:00:00.500Z", "2024-02-29T23:59:59.999Z"),
        ("text", "from", "2024-02", "2024-01-01T10:00:00.500Z", "2024-02-01"),
        ("text", "to", "2024", "2024-01-01", "2024-12-31"),
        ("text", "to", "2024", "A17", None),
        ("text", "to", "2024-02-29T10:00", "2024-01-01 10:00:00", "2024-02-29 10:00:00"),
        ("text", "to", "2024-02-29 10:00+01:00", "2024-01-01T10:00:00Z", "2024-02-29T09:00:00Z"),
        ("text", "from", "2024-02-29T10:00", "2024-01-01", "2024-02-29"),
        ("integer", "to", "2024", 7, None),
        ("timestamp", "to", "2024-02-29 10:00", None, None),
    ],
)
def test_whole(kind: str, name: str, text: str, like: Any, value: Any) -> None:
    assert whole(kind, name, text, like, UTC) == value


@pytest.mark.parametrize("type_name", ["timestamp", "timestamptz", "text", "date"])
@pytest.mark.parametrize(("low", "high"), [("2024-01-30", "2024-01-31"), ("2024-01", "2024-01")])
def test_the_last_day_is_read_to_its_end(
    task: OneTask, type_name: str, low: str, high: str
) -> None:
    task.execute(
        f"create table public.t (id int, at {type_name}); insert into public.t values "
        "(1, '2024-01-30 00:00:00'), (2, '2024-01-31 23:59:59'), (3, '2024-02-01 00:00:00')"
    )
    action = "do: database\nquery: q.sql\nload: merge\nkey: [id]\nwatermark: {column: at}"
    task.has(f"url: {task.database.uri}", action, {"q.sql": "select id, at from public.t"})
    task.run()
    task.execute("truncate staging.thing")
    task.run(backfill={"from": low, "to": high})
    assert [row[0] for row in task.rows()] == [1, 2]
    assert any(event.startswith("reads the range from 2024-01-") for event in task.events())


@pytest.mark.parametrize(
    ("text", "like"),
    [
        ("yesterday", "2024-01-01 10:00:00"),
        ("2024-02-29T24:00", "2024-01-01 10:00:00"),
        ("2024-02-29T10:00Z", "2024-01-01 10:00:00"),  # whose zone is not known
    ],
)
def test_what_is_no_time_like_the_texts(text: str, like: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        whole("text", "from", text, like, UTC)


def test_a_day_that_does_not_exist_is_reported(task: OneTask) -> None:
    task.execute("create table public.t (id int, at date); insert into public.t values (1, now())")
    action = "do: database\nquery: q.sql\nload: append\nwatermark: {column: at}"
    task.has(f"url: {task.database.uri}", action, {"q.sql": "select id, at from public.t"})
    task.run()
    outcome = run_task(
        task.folder, "source.staging.thing", backfill={"from": None, "to": "2023-02-29"}
    )
    assert "--to 2023-02-29: write it like the watermark" in outcome.message
