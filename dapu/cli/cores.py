"""`--processes cores`: how many processors a process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import click

_MOST = 64
_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container, with cgroup v2: microseconds, in so many


def usable_cores(quota_file: Path = _QUOTA) -> int:
    """The processors that it may run on, at most as many as its container's quota fills."""
    allowed = len(os.sched_getaffinity(0))
    try:
        quota, period = quota_file.read_text().split()
        return max(1, min(allowed, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no cgroup v2, or `max`: no quota
        return allowed


class ProcessCount(click.ParamType["int"]):
    """A number from 1 to 64, or `cores`."""

    name = "processes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See `click.ParamType`."""
        if value == "cores":
            return min(usable_cores(), _MOST)
        return int(click.IntRange(1, _MOST).convert(value, param, ctx))
