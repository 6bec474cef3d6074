"""Which tasks a person means: by name, pattern, tag, route, outcome, and what depends on what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from graphlib import TopologicalSorter
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from dapu.errors import ConfigurationError
from dapu.registry.store import Registry
from dapu.suggest import nearest, unknown_task
from dapu.text import counted


class Selectable(NamedTuple):
    """A task as selectors see it.

    masters: the tasks that it depends on, registered or not.
    """

    task: str
    route: str
    tags: list[str]
    has_failed: bool
    masters: list[str]


CHANGED = "changed:"


class ChangedSelector(str):
    """`changed:REF`, with or without `+`, and the tasks that git found."""

    tasks: frozenset[str]

    def __new__(cls, text: str, tasks: Iterable[str]) -> ChangedSelector:
        """The selector as it was written, and the tasks."""
        one = super().__new__(cls, text)
        one.tasks = frozenset(tasks)
        return one


_Test = Callable[[Selectable, str], bool]
_KINDS: dict[str, _Test] = {
    "tag": lambda one, wanted: any(fnmatchcase(tag, wanted) for tag in one.tags),
    "route": lambda one, wanted: fnmatchcase(one.route, wanted),
    "failed": lambda one, wanted: one.has_failed and fnmatchcase(one.task, wanted or "*"),
}


def selectable(cursor: Cursor, registry: Registry) -> list[Selectable]:
    """All registered tasks."""
    return [Selectable(*row) for row in registry.rows(cursor, "task.selectable")]


def select(selectors: Sequence[str], known: Iterable[Selectable]) -> list[str]:
    """The tasks that selectors name, each once and after those of them that it depends on.

    A selector is `route.schema.table`, `schema.table`, or either with `*`; `tag:NAME`,
    `route:NAME`, `failed:` or a `ChangedSelector`. A `+` before it takes in what it depends on, a
    `+` behind it what depends on it. Raises ConfigurationError for a selector that names no task.
    """
    return list(select_with_reasons(selectors, known))


def select_with_reasons(selectors: Sequence[str], known: Iterable[Selectable]) -> dict[str, str]:
    """What `select` gives, and why each task is among them, for a person."""
    tasks = {one.task: one for one in known}
    masters = {name: [m for m in one.masters if m in tasks] for name, one in tasks.items()}
    dependents: dict[str, list[str]] = {name: [] for name in tasks}
    for name, above in masters.items():
        for master in above:
            dependents[master].append(name)
    named, around = dict[str, str](), dict[str, str]()
    for selector in selectors:
        found = _named(selector, tasks)
        body = selector.removeprefix("+").removesuffix("+")
        named.update(dict.fromkeys(found - set(named), f"`{selector}`"))
        for mark, steps, why in (
            (selector.startswith("+"), masters, f"`{selector}`: {body} depends on it"),
            (selector.endswith("+"), dependents, f"`{selector}`: it depends on {body}"),
        ):
            if mark:
                around.update(dict.fromkeys(reached(found, steps) - set(around), why))
    reasons = around | named
    graph = {
        name: sorted(master for master in set(masters[name]) if master in reasons)
        for name in sorted(reasons)
    }
    return {name: reasons[name] for name in TopologicalSorter(graph).static_order()}


def one_task(selector: str, known: Iterable[Selectable]) -> str:
    """The one task that a selector names; a plain name is it, whether it is known or not.

    Raises ConfigurationError where it names none, or several.
    """
    if is_one_task([selector]):
        return selector
    found = select([selector], known)
    if len(found) != 1:
        raise ConfigurationError(
            f"`{selector}` names {counted(len(found), 'task')}; --from, --to, --rebuild and "
            "--downstream are for one"
        )
    return found[0]


def is_one_task(selectors: Sequence[str]) -> bool:
    """Whether they are one plain name of a task."""
    return (
        len(selectors) == 1
        and not set(selectors[0]) & set("+*?[:")
        and selectors[0].count(".") == 2
    )


def _named(selector: str, tasks: Mapping[str, Selectable]) -> set[str]:
    if isinstance(selector, ChangedSelector):
        return set(tasks) & selector.tasks  # that none changed is no mistake
    body = selector.removeprefix("+").removesuffix("+")
    kind, colon, wanted = body.partition(":")
    if colon and kind not in _KINDS:
        raise ConfigurationError(
            f"`{selector}`: there is no selector `{kind}:`{nearest(kind, _KINDS)}; there are "
            f"{', '.join(f'{name}:' for name in _KINDS)}"
        )
    test = _KINDS[kind] if colon else _has_name
    found = {one.task for one in tasks.values() if test(one, wanted if colon else body)}
    if found or kind == "failed":  # that none failed is no mistake
        return found
    if colon:
        every = sorted({tag for one in tasks.values() for tag in one.tags})
        names = every if kind == "tag" else sorted({one.route for one in tasks.values()})
        raise ConfigurationError(f"`{selector}` names no task{nearest(wanted, names)}")
    raise unknown_task(body, tasks)


def _has_name(one: Selectable, pattern: str) -> bool:
    return fnmatchcase(one.task, pattern) or (
        fnmatchcase(one.task.partition(".")[2], pattern) and pattern.count(".") < 2
    )


def reached(found: Iterable[str], steps: Mapping[str, Sequence[str]]) -> set[str]:
    """What steps lead to from some tasks, directly or not."""
    met: set[str] = set()
    ahead = list(found)
    while ahead:
        new = set(steps[ahead.pop()]) - met
        met |= new
        ahead += new
    return met
