"""`dapu new`: one task, from options or answers."""

from __future__ import annotations

import os
import pty
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.command import DAPU
from tests.support.generating import ITEM, Generating, sqlite


def test_new_makes_one_task_of_a_table(generating: Generating, tmp_path: Path) -> None:
    generating.reads(sqlite(tmp_path / "erp.db", ITEM))
    generating.run("new", "erp.mart.things", "--from", "Item", "--load", "merge")
    text = (generating.folder / "routes/erp/mart/things/task.yaml").read_text()
    assert "    load: merge\n    key: [id]\n" in text
    generating.load()
    assert generating.rows("select * from mart.things") == [(1, "x")]
    done = generating.run("new", "erp.mart.things", "--from", "item", status=2)
    assert "routes/erp/mart/things is there already" in done.err


def test_new_asks_on_a_terminal_for_what_is_not_given(
    generating: Generating, tmp_path: Path
) -> None:
    generating.reads(sqlite(tmp_path / "erp.db", ITEM))
    (generating.folder / "routes/erp").mkdir(parents=True)
    (generating.folder / "routes/erp/route.yaml").write_text("connection: erp")
    ours, its = pty.openpty()
    command = [*DAPU, "new", str(generating.folder), "erp.mart.things"]
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its) as process:
        os.close(its)
        shown = b""
        for question, answer in ((b"none: a query", b"item"), (b"Load mode", b"merge")):
            while question not in shown:
                shown += os.read(ours, 1000)
            os.write(ours, answer + b"\n")
        with suppress(OSError):  # how a terminal ends whose other side is closed
            while more := os.read(ours, 1000):
                shown += more
        assert process.wait() == 0, shown
    os.close(ours)
    assert b"routes/erp/mart/things/task.yaml" in shown
    text = (generating.folder / "routes/erp/mart/things/task.yaml").read_text()
    assert "    load: merge\n    key: [id]\n" in text


def test_new_without_a_source_is_a_query(generating: Generating, tmp_path: Path) -> None:
    generating.reads(sqlite(tmp_path / "erp.db", ITEM))
    (generating.folder / "routes/reports").mkdir(parents=True)
    (generating.folder / "routes/reports/route.yaml").write_text("")
    generating.run("new", "reports.mart.revenue")
    generating.load()
    assert generating.rows("select * from mart.revenue") == [(1,)]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["erp.item"], "'erp.item' is not a task id"),
        (["erp.Staging.item"], "the schema name 'Staging' must be lower-case"),
        (["erp.s.item", "--from", "itm"], "has no table `itm`; did you mean `item`?"),
        (["erp.s.item"], "`erp` is a connection and not a route"),
        (["erq.s.item"], "no route `erq`"),
        (["erp.s.item", "--load", "merge"], "`--load` goes with `--from`"),
        (["main.s.item", "--from", "migration", "--load", "period"], "'period' is not one of"),
    ],
)
def test_new_refuses(generating: Generating, tmp_path: Path, options: list[str], says: str) -> None:
    generating.reads(sqlite(tmp_path / "erp.db", ITEM))
    assert says in generating.run("new", *options, status=2).err
