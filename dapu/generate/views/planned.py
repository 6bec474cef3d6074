"""Views that are to be made, in groups: one group, one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from dapu.statement import LONGEST_NAME

_DIGITS = 8  # of the hash in a shortened name


class PlannedView(NamedTuple):
    """A view. query: its SELECT. comment: what is said of it in the database."""

    name: str
    query: str
    comment: str | None = None

    @property
    def hash(self) -> str:
        """Of all that makes it what it is."""
        return hashlib.sha256(repr(tuple(self)).encode()).hexdigest()


@dataclass(frozen=True)
class ViewGroup:
    """Views that are made together or not at all.

    fault: why it cannot be made, known before it is tried.
    note: what a person may want to know of it.
    """

    key: str
    views: tuple[PlannedView, ...]
    fault: str | None = None
    note: str | None = None

    @cached_property
    def hash(self) -> str:
        """Of all its views."""
        return hashlib.sha256("".join(view.hash for view in self.views).encode()).hexdigest()


@dataclass(frozen=True)
class Choice:
    """Which groups: of these keys only; else the first `limit`. count: of `{{ count }}`."""

    only: tuple[str, ...] = ()
    limit: int | None = None
    count: int | None = None


def short_name(name: str, longest: int = LONGEST_NAME) -> str:
    """A name of so many bytes at most: a longer one is cut and ends in a hash of the whole."""
    data = name.encode()
    if len(data) <= longest:
        return name
    kept = data[: longest - _DIGITS - 1].decode(errors="ignore")
    return f"{kept}~{hashlib.sha256(data).hexdigest()[:_DIGITS]}"


def named_view(
    name: str, query: str, comment: str | None = None, longest: int = LONGEST_NAME
) -> PlannedView:
    """A view with a name that the database takes; the comment has the whole name of a cut one."""
    short = short_name(name, longest)
    parts = [name] if short != name else []
    parts += [comment] if comment else []
    return PlannedView(short, query, ": ".join(parts) or None)


def without_twins(key: str, views: Iterable[PlannedView]) -> ViewGroup:
    """The group of these views; it has a fault when two of them have one name."""
    found: dict[str, PlannedView] = {}
    for view in views:
        if found.setdefault(view.name, view) != view:
            return ViewGroup(key, (), f"two of its views have the name {view.name}")
    return ViewGroup(key, tuple(found.values()))
