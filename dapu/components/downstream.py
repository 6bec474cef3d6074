"""A correction that goes down: a task again, and after it all that depend on it, in order."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import TopologicalSorter
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from dapu.errors import ConfigurationError
from dapu.registry import agenda, corrections
from dapu.registry.corrections import Backfill, TaskBelow, options_of
from dapu.registry.selectors import reached
from dapu.registry.store import Registry


class CorrectionStep(NamedTuple):
    """One task of a correction. One with neither `full` nor `backfill` reads everything anyway."""

    task: str

    full: bool = False
    """Whether it reads everything again."""

    backfill: Backfill | None = None
    """The range of its watermark's column that it reads again."""

    rebuild: bool = False
    """Whether its table is dropped and made anew."""

    note: str = ""
    """Why everything, behind `--full`."""

    @property
    def what(self) -> str:
        """What it reads, for a person."""
        if self.backfill is not None:
            return options_of(self.backfill)
        if self.rebuild:
            return "--rebuild"
        return f"--full{self.note}" if self.full else "reads everything in each run"


class QueuedStep(NamedTuple):
    """A step, and its job."""

    step: CorrectionStep
    job: int


def queue_downstream(cursor: Cursor, registry: Registry, first: CorrectionStep) -> list[QueuedStep]:
    """Queues a task and all that depend on it; each waits until its masters' jobs are done.

    first: what the task itself reads again.
    A range goes on to those that read the corrected range itself and whose watermark is the same
    column; the others that read only what is new read everything.
    Raises ConfigurationError when a range fits nothing, or one of the tasks cannot run.
    """
    found = {each.task: each for each in corrections.below(cursor, registry, first.task)}
    _check(found, first)
    steps = {first.task: first}
    queued: dict[str, int] = {}
    masters = {task: _masters(found, task) for task in found}
    for name in TopologicalSorter(masters).static_order():
        if name != first.task:
            steps[name] = _step(found, name, steps)
        step = steps[name]
        after = sorted({queued[master] for master in reached([name], masters)})
        job = agenda.add(
            cursor,
            registry,
            name,
            "run",
            step.full,
            step.backfill,
            after,
            rebuild=step.rebuild,
        )
        if job is None:
            raise ConfigurationError(f"{name} was unregistered this very moment")
        queued[name] = job
    return [QueuedStep(steps[name], job) for name, job in queued.items()]


def _check(found: Mapping[str, TaskBelow], first: CorrectionStep) -> None:
    task = first.task
    if first.backfill is not None and not found[task].columns:
        raise ConfigurationError(f"--from and --to need a `watermark`, and {task} has none")
    for one in found.values():
        if one.state != "ready":
            what = f"{one.state}: {one.fault}" if one.fault else one.state
            raise ConfigurationError(f"{one.task} depends on {task} and is {what}")
        if one.blacklisted and one.task != task:
            raise ConfigurationError(
                f"{one.task} depends on {task} and is blacklisted in meta.override: end that, or "
                "run the others without --downstream"
            )


def _masters(found: Mapping[str, TaskBelow], name: str) -> list[str]:
    """Those masters of a task that are corrected too."""
    return [master for master in found[name].masters if master in found]


def _step(
    found: Mapping[str, TaskBelow], name: str, steps: Mapping[str, CorrectionStep]
) -> CorrectionStep:
    """What a task reads again, by what its masters do."""
    one, before = found[name], [steps[master] for master in _masters(found, name)]
    if not one.columns:
        return CorrectionStep(name)
    if any(step.rebuild for step in steps.values()):
        return CorrectionStep(name, full=True, rebuild=True)
    ranges = [step for step in before if step.backfill is not None]
    columns = {column for step in ranges for column in found[step.task].columns}
    if len(ranges) == len(before) and all(one.reads_range_of(column) for column in columns):
        return CorrectionStep(name, backfill=ranges[0].backfill)
    if not ranges:
        return CorrectionStep(
            name, full=True, note=", since a task that it depends on reads everything"
        )
    names = ", ".join(f"`{column}`" for column in dict.fromkeys(one.columns))
    others = ", ".join(f"`{column}`" for column in sorted(columns))
    return CorrectionStep(
        name, full=True, note=f", since its watermark is {names}, and the range is one of {others}"
    )
