"""`dapu verify`: whether source and table hold the same rows."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from dapu.cli.arguments import AS_JSON, SOME_TASKS, WAREHOUSE
from dapu.cli.console import one_line, say, show_json, show_table
from dapu.text import counted

if TYPE_CHECKING:
    from dapu.trial.verified import Verified
    from dapu.trial.verify import Verification

_KINDS = {"inserted": "missing", "deleted": "extra", "updated": "differing"}


@click.command("verify")
@WAREHOUSE
@SOME_TASKS
@click.option("--samples", type=click.IntRange(0, 1000), default=5, help="Rows of each kind (5).")
@AS_JSON
def verify(warehouse: Any, selectors: tuple[str, ...], samples: int, as_json: bool) -> None:
    """Prove that TASK's table holds the rows of its source.

    Both sides hash their rows in blocks, and rows travel only where the hashes differ. What was
    found is kept in `meta.verification`. Takes patterns and selectors as `dapu run` does. Exit
    status 1 at a difference, at a failure, and when nothing could be verified.

    \b
    Examples:
      dapu verify finances erp.staging.invoice
      dapu verify finances 'staging.*' --samples 20 --json
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.registry.selectors import is_one_task, select, selectable
    from dapu.registry.version import check_registry, registry_of
    from dapu.trial.verified import verify_and_keep

    registry = registry_of(warehouse)
    with warehouse.session("verify") as session, session.cursor() as cursor:
        check_registry(cursor, registry)
        chosen = select(selectors, selectable(cursor, registry))
    done: list[Verified] = []
    for task in chosen:
        done.append(verify_and_keep(warehouse, task, samples))
        if not as_json:
            _show(done[-1])
    if as_json:
        answers = [_as_json(one) for one in done]
        show_json(answers[0] if is_one_task(selectors) else answers)
    verdicts = {one.row.verdict for one in done}
    if verdicts & {"different", "failed"} or (verdicts and "same" not in verdicts):
        sys.exit(1)


def _as_json(one: Verified) -> dict[str, Any]:
    from dataclasses import asdict

    from dapu.trial.verify_rows import samples_of

    flat = {"verification": one.number, **asdict(one.row)}
    if one.found is not None:
        found = one.found
        flat["columns"] = found.columns
        flat["every_row_because"] = found.why_every_row
        flat["samples"] = {
            name: samples_of(found.differences, kind) for kind, name in _KINDS.items()
        }
    return flat


def _show(one: Verified) -> None:
    say(f"{one.row.task}: {one.row.verdict}: {one.row.message}")
    if one.found is None:
        return
    found = one.found
    for line in _how(one, found):
        say(f"  {line}")
    for kind, name in _KINDS.items():
        _show_samples(kind, name, found)


def _how(one: Verified, found: Verification) -> list[str]:
    row = one.row
    run = f"the run that ended {row.run_at:%Y-%m-%d %H:%M:%S}" if row.run_at else "no run"
    lines = [
        f"as of {found.table_at:%Y-%m-%d %H:%M:%S %Z} with the rows of {run}"
        + (f", which read to {found.read_to}" if found.read_to else "")
    ]
    if found.why_every_row is not None:
        lines.append(f"every row was read: {found.why_every_row}")
    else:
        lines.append(
            f"{counted(found.blocks or 0, 'block')} hashed by both sides, "
            f"{found.blocks_differing:,} unlike; {counted(found.rows_read, 'row')} read, "
            f"{counted(found.bytes_moved, 'byte')} moved"
        )
    if found.not_compared:
        lines.append(f"not compared, since the source has none: {', '.join(found.not_compared)}")
    for name, count in found.columns.items():
        lines.append(f"{name} differs in {counted(count, 'row')}")
    return lines


def _show_samples(kind: str, name: str, found: Verification) -> None:
    from dapu.trial.verify_rows import samples_of

    rows = samples_of(found.differences, kind)
    if not rows:
        return
    count = getattr(found.differences, kind)
    say(f"{name}: {count:,}" + (f", {len(rows)} of them:" if len(rows) < count else ":"))
    key = found.differences.key
    keys = [[one_line(one["key"][part]) for part in key] for one in rows]
    if kind != "updated":
        show_table(key, keys)
        return
    changes = [
        (*of, column, one_line(pair["source"]), one_line(pair["table"]))
        for of, one in zip(keys, rows, strict=True)
        for column, pair in one["columns"].items()
    ]
    show_table((*key, "column", "in the source", "in the table"), changes)


COMMANDS = (verify,)
