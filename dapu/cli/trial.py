"""The commands that try a task out before it is kept."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from dapu.cli.arguments import AS_JSON, TASK, WAREHOUSE
from dapu.cli.console import complain, one_line, say, show_json, show_table
from dapu.text import counted

if TYPE_CHECKING:
    from dapu.trial.compare import Differences
    from dapu.trial.diff import Outcome
    from dapu.warehouse.warehouse import Warehouse

_KINDS = ("inserted", "updated", "deleted")
_FULL = click.option("--full", is_flag=True, help="As a run with --full, or the first one.")


@click.command("render")
@WAREHOUSE
@TASK
@_FULL
@AS_JSON
def render(warehouse: Warehouse, task: str, full: bool, as_json: bool) -> None:
    """Print the SQL of TASK as a run would send it now.

    With its variables and its watermark filled in; a run binds the values, so that none is part
    of the text. A source with a watermark is asked for its highest value. Nothing is run.

    \b
    Examples:
      dapu render finances erp.staging.invoice
      dapu render finances erp.staging.invoice --full --json
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.trial.open_trial import open_trial
    from dapu.trial.render import render

    with open_trial(warehouse, task, "render") as trial:
        files = list(render(trial, full=full))
    if as_json:
        show_json([one._asdict() for one in files])
        return
    for number, one in enumerate(files):
        say(f"{'' if number == 0 else chr(10)}-- {one.action}: {one.file}\n{one.sql}")
    if not files:
        say(f"{task} has no SQL files")


@click.command("preview")
@WAREHOUSE
@TASK
@click.option("--rows", type=click.IntRange(1, 10_000), default=20, help="So many rows (20).")
@AS_JSON
def preview(warehouse: Warehouse, task: str, rows: int, as_json: bool) -> None:
    """Show the columns and the first rows of TASK's source.

    With their types, from the files as they are now, registered or not. It writes nothing: no
    table, no registry, no watermark.

    \b
    Examples:
      dapu preview finances erp.staging.invoice
      dapu preview finances erp.staging.invoice --rows 5 --json
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.trial.open_trial import open_trial
    from dapu.trial.preview import preview

    with open_trial(warehouse, task, "preview") as trial:
        found = list(preview(trial, rows))
    if as_json:
        show_json(
            [
                {
                    "action": one.action,
                    "columns": [column._asdict() for column in one.columns],
                    "rows": [_by_name(one.columns, row) for row in one.rows],
                }
                for one in found
            ]
        )
        return
    for one in found:
        say(f"{one.action}: {counted(len(one.columns), 'column')}")
        columns = [(c.name, c.type, c.in_table or "(new)") for c in one.columns]
        show_table(("column", "type", "in the table"), columns)
        _show_rows([column.name for column in one.columns], one.rows)


def _by_name(columns: Sequence[Any], row: Sequence[Any]) -> dict[str, Any]:
    return {column.name: value for column, value in zip(columns, row, strict=True)}


def _show_rows(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    show_table(names, [[one_line(value) for value in row] for row in rows])


@click.command("diff")
@WAREHOUSE
@TASK
@click.option("--samples", type=click.IntRange(0, 1000), default=5, help="Rows of each kind (5).")
@_FULL
@AS_JSON
def diff(warehouse: Warehouse, task: str, samples: int, full: bool, as_json: bool) -> None:
    """Show what a run of TASK would change in its table.

    Runs the actions and checks of its files as they are now, in a transaction that is rolled back,
    and compares the table before and after. Until then it holds the locks of a run: where the
    table would be replaced, its readers wait. Exit status 1 when a check would fail.

    \b
    Examples:
      dapu diff finances mart.mart.sales
      dapu diff finances mart.mart.sales --samples 20 --json
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dataclasses import asdict

    from dapu.trial.diff import diff
    from dapu.trial.open_trial import open_trial

    with open_trial(warehouse, task, "diff") as trial:
        found = diff(trial, samples, full=full)
    if as_json:
        flat = asdict(found)
        show_json({"task": task, **flat.pop("differences"), **flat})
    else:
        _show_outcome(task, found)
    if found.failed_check:
        complain(f"dapu: the run would fail: {found.failed_check}")
        sys.exit(1)


def _show_outcome(task: str, found: Outcome) -> None:
    for line in found.actions:
        say(line)
    for left_out in found.left_out:
        say(f"not tried, since it cannot be undone: action {left_out}")
    show_differences(found.differences)
    for warning in found.warnings:
        say(f"warning: {warning}")
    say(f"{task}: {changes_of(found.differences)}; nothing is kept")


def changes_of(found: Differences) -> str:
    """`1 inserted, 0 updated, 2 deleted; 61 rows before, 60 after`."""
    changes = ", ".join(f"{getattr(found, kind):,} {kind}" for kind in _KINDS)
    return f"{changes}; {counted(found.before_rows, 'row')} before, {found.after_rows:,} after"


def show_differences(found: Differences) -> None:
    """The columns and some rows that differ."""
    for line in found.columns:
        say(f"column {line}")
    for kind in _KINDS:
        _show_samples(kind, getattr(found, kind), found)


def _show_samples(kind: str, count: int, found: Differences) -> None:
    rows = found.samples.get(kind, [])
    if not rows:
        return
    say(f"{kind}: {count:,}" + (f", {len(rows)} of them:" if len(rows) < count else ":"))
    if kind != "updated":
        _show_rows(list(rows[0]), [list(row.values()) for row in rows])
        return
    changes = [
        (*(pair["after"][name] for name in found.key), name, pair["before"][name], value)
        for pair in rows
        for name, value in pair["after"].items()
        if pair["before"][name] != value
    ]
    _show_rows([*found.key, "column", "before", "after"], changes)


COMMANDS = (render, preview, diff)
