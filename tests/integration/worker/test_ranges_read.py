"""Which ranges of its source a task has read."""

from __future__ import annotations

import json

import pytest

from tests.support.command import here
from tests.support.one_task import TASK, OneTask
from tests.support.rounds import prepare

ACTION = "do: database\nquery: q.sql\nload: merge\nkey: [id]\nwatermark: {column: id}"
RANGES = "select low, high, job from meta.read_range order by read_range"


def test_what_was_read_is_kept_with_the_rows_and_what_is_missing_is_shown(
    task: OneTask, capsys: pytest.CaptureFixture[str]
) -> None:
    query = "select i as id from generate_series(1, {}) i"
    keys = (line.strip() for line in task.database.connections_yaml().splitlines()[1:])
    task.has("\n".join(keys), ACTION, {"q.sql": query.format(10)})
    task.run()
    assert task.rows(RANGES) == [(None, "10", 1)]
    (task.folder / "routes/source/staging/thing/q.sql").write_text(query.format(50))
    prepare(task.folder)
    task.run(backfill={"from": "30", "to": "35"})
    assert task.rows(RANGES) == [(None, "10", 1), ("30", "35", 2)]
    shown = here(capsys, "status", task.folder, TASK).out
    assert "read: id from the first to 10 in `database q.sql from source` (job 1, " in shown
    assert "missing: id after 10 and before 30 in " in shown
    found = json.loads(here(capsys, "status", task.folder, TASK, "--json").out)
    assert [(gap["after"], gap["before"]) for gap in found["ranges_missing"]] == [("10", "30")]
    task.run()  # from the watermark on, over all of it
    assert task.rows(RANGES) == [(None, "50", 3)]
    (task.folder / "routes/source/staging/thing/q.sql").write_text("select 1 / 0 as id")
    assert "division" in task.fails()
    assert task.rows(RANGES) == [(None, "50", 3)]
