"""Runs as drawings: a strip of bars for a line of a table, and a chart over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from dapu.registry.agenda import PastJob

_HEIGHT, _WIDTH, _STEP = 22, 5, 7  # of a strip's bars
_CHART = (640, 120)  # width, height
_OUTLIER = 3  # times the median


class Bar(NamedTuple):
    """A run. kind: its class of the stylesheet."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


@dataclass(frozen=True)
class Strip:
    """Runs, the newest last. text: the same in words."""

    bars: list[Bar]
    width: int
    height: int
    text: str


def strip_of(runs: Sequence[tuple[str, float]]) -> Strip:
    """runs: how each ended, and how many seconds it took; the newest last."""
    longest = max((seconds for _, seconds in runs), default=0)
    kinds = _kinds(runs)
    bars = []
    for place, (status, seconds) in enumerate(runs):
        share = seconds / longest if longest else 0
        height = max(4.0, _HEIGHT * share) if status == "done" else float(_HEIGHT)
        kind = kinds[place]
        title = f"{status}, {seconds:.1f} s"
        bars.append(
            Bar(place * _STEP, round(_HEIGHT - height, 1), _WIDTH, round(height, 1), kind, title)
        )
    text = ", ".join(f"{status} {seconds:.0f} s" for status, seconds in runs[-3:])
    return Strip(bars, max(len(runs), 1) * _STEP, _HEIGHT, f"last runs: {text or 'none'}")


def _kinds(runs: Sequence[tuple[str, float]]) -> list[str]:
    """How each run is drawn: as its status, or as one that took much longer than the others."""
    usual = median([seconds for status, seconds in runs if status == "done"] or [0])
    least = max(1, _OUTLIER * usual) if len(runs) > 4 else float("inf")
    return [
        "outlier" if status == "done" and seconds > least else status for status, seconds in runs
    ]


@dataclass(frozen=True)
class Chart:
    """How long runs took, or how many rows they brought; the newest last. most: of its scale."""

    name: str
    bars: list[Bar]
    most: str
    width: int = _CHART[0]
    height: int = _CHART[1]


def charts_of(jobs: Sequence[PastJob]) -> list[Chart]:
    """The charts of a task's runs. jobs: the newest first."""
    runs = [job for job in reversed(jobs) if job.started_at and job.ended_at]
    took = [_seconds(job) for job in runs]
    rows = [float(job.rows or 0) for job in runs]
    longest = f"{max(took, default=0):,.1f} s"
    kinds = _kinds([(job.status, seconds) for job, seconds in zip(runs, took, strict=True)])
    statuses, most = [job.status for job in runs], f"{max(rows, default=0):,.0f}"
    return [
        _chart("Duration", runs, kinds, took, longest, [f"{one:,.1f} s" for one in took]),
        _chart("Rows", runs, statuses, rows, most, [f"{one:,.0f}" for one in rows]),
    ]


def _seconds(job: PastJob) -> float:
    if job.started_at is None or job.ended_at is None:
        return 0.0
    return (job.ended_at - job.started_at).total_seconds()


def _chart(
    name: str,
    runs: Sequence[PastJob],
    kinds: Sequence[str],
    values: Sequence[float],
    most: str,
    shown: Sequence[str],
) -> Chart:
    width, height = _CHART
    step = width / max(len(runs), 20)
    top = max(values, default=0) or 1
    bars = []
    for place, (job, value, text) in enumerate(zip(runs, values, shown, strict=True)):
        size = round(max(2.0, (height - 4) * value / top), 1)
        left = round(width - (len(runs) - place) * step, 1)
        title = f"job {job.number}: {text}, {job.status}"
        bars.append(
            Bar(left, round(height - size, 1), round(step * 0.72, 1), size, kinds[place], title)
        )
    return Chart(name, bars, most)
