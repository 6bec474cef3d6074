"""`dapu test`: what tables become."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dapu.cli.arguments import AS_JSON, FOLDER
from dapu.cli.console import complain, say, show_json
from dapu.errors import ConfigurationError
from dapu.text import counted

if TYPE_CHECKING:
    from dapu.trial.run_case import Ran


@click.command("test")
@FOLDER
@click.argument("selectors", metavar="[TASK]…", nargs=-1)
@click.option("--processes", type=click.IntRange(1, 64), help="So many at once; all cores.")
@click.option("--server", metavar="URI", help="Run them on that PostgreSQL, not an embedded one.")
@click.option("--junit", type=click.Path(path_type=Path), help="Write the outcome for a CI there.")
@AS_JSON
def test(
    warehouse: Path,
    selectors: Sequence[str],
    processes: int | None,
    server: str | None,
    junit: Path | None,
    as_json: bool,
) -> None:
    """Run the tests of tasks: what a table becomes of rows.

    Those in `tests/` of the tasks' folders, all or of the tasks that are named (selectors may be).
    Nothing outside is asked or written: the tables are made in an embedded PostgreSQL, and each
    test is undone. --server makes databases of its own on a server, and drops them. Exit status 1
    when one fails.

    \b
    Examples:
      dapu test finances
      dapu test finances 'staging.*' --junit report.xml
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.trial.case_server import case_server
    from dapu.trial.junit import write_junit
    from dapu.trial.run_cases import chosen_cases, run_cases

    started, ran = time.perf_counter(), list["Ran"]()
    with case_server(warehouse, server) as (database, faults):
        for fault in faults:
            complain(f"dapu: {fault}")
        cases = chosen_cases(warehouse, database, selectors)
        if not cases:
            raise ConfigurationError(
                "there are no tests: write one into `tests/NAME.yaml` of a task's folder"
            )
        count = processes or os.cpu_count() or 1
        for one in run_cases(warehouse, database, cases, count):
            ran.append(one)
            if one.faults and not as_json:
                _show(one)
    failed = sum(bool(one.faults) for one in ran)
    seconds = time.perf_counter() - started
    if junit is not None:
        write_junit(junit, sorted(ran, key=lambda one: one.case.path), seconds)
    if as_json:
        show_json([_as_json(one) for one in sorted(ran, key=lambda one: one.case.path)])
    else:
        _summarize(ran, failed, seconds)
    if failed:
        sys.exit(1)


def _show(one: Ran) -> None:
    say(f"FAILED {one.case.name}  ({one.case.path})")
    for fault in one.faults:
        say(f"  {fault}")


def _as_json(one: Ran) -> dict[str, object]:
    return {
        "task": one.case.task,
        "test": one.case.path.stem,
        "file": str(one.case.path),
        "passed": not one.faults,
        "seconds": round(one.seconds, 3),
        "faults": one.faults,
        "not_run": one.left_out,
    }


def _summarize(ran: Sequence[Ran], failed: int, seconds: float) -> None:
    left_out = sorted({f"`{name}`" for one in ran for name in one.left_out})
    if left_out:
        say(f"not run, since it cannot be undone: {', '.join(left_out)}")
    outcome = f"{failed:,} failed" if failed else "all passed"
    say(f"{counted(len(ran), 'test')}: {outcome}, in {seconds:.1f} s")


COMMANDS = (test,)
