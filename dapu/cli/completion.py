"""What the shells complete: tasks, routes, schemas and columns, from the files alone.

A shell asks at each press of the tab key, so that nothing large is imported here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class

_KINDS = ("tag:", "route:", "failed:", "changed:")
# `tags: [daily, ledger]`, or one a line below; a YAML reader would take seconds for many tasks.
_TAGS = re.compile(r"^[ \t]*tags:[ \t]*(?:\[([^\]]*)\]|((?:\n[ \t]*- [^\n]*)+))", re.MULTILINE)
_TAG = re.compile(r"[\w.-]+")


class _Bash(BashComplete):
    """Bash takes `route:erp` for three words, and completes the last of them.

    A name such as `staging.*` is no pattern of files, either.
    """

    source_template = BashComplete.source_template.replace("+=($value)", '+=("$value")')

    def get_completion_args(self) -> tuple[list[str], str]:
        """See `ShellComplete`."""
        before, last = super().get_completion_args()
        words: list[str] = []
        is_cut = joins = False
        for word in [*before, last]:
            is_colon = word == ":"
            is_cut = bool(words) and (is_colon or joins)
            if is_cut:
                words[-1] += word
            else:
                words.append(word)
            joins = is_colon
        *before, last = words
        self._shown = last.rpartition(":")[0] + ":" if is_cut else ""
        return before, last

    def format_completion(self, item: CompletionItem) -> str:
        """See `ShellComplete`."""
        value = item.value.removeprefix(self._shown)
        return f"{item.type},{value}"


add_completion_class(_Bash)


def tasks(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of tasks: `erp.staging.sale`, or `staging.sale` for who begins with the schema."""
    return _fitting(_tasks(ctx), incomplete)


def selectors(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Tasks, schemas as patterns, and selectors: with `+` before them too."""
    plus = "+" if incomplete.startswith("+") else ""
    body = incomplete.removeprefix("+")
    if body.startswith("route:"):
        names: Iterable[str] = (f"route:{route}" for route in _routes(ctx))
    elif body.startswith("tag:"):
        names = (f"tag:{tag}" for tag in _tags(ctx))
    else:
        known = list(_tasks(ctx))
        schemas = dict.fromkeys(f"{name.split('.')[1]}.*" for name in known)
        names = [*known, *schemas, *(kind for kind in _KINDS if body and kind.startswith(body))]
    return _fitting([f"{plus}{name}" for name in names], incomplete)


def routes(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of routes."""
    return _fitting(_routes(ctx), incomplete)


def schemas(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of schemas that have tasks."""
    return _fitting(dict.fromkeys(name.split(".")[1] for name in _tasks(ctx)), incomplete)


def columns(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`TASK.COLUMN`: tasks first, then their columns as `dapu lineage` last knew them."""
    known = list(_tasks(ctx))
    task = next((name for name in known if incomplete.startswith(f"{name}.")), None)
    if task is None:
        return _fitting((f"{name}." for name in known), incomplete)
    from dapu.lineage.kept_facts import KeptFacts

    found = KeptFacts(_folder(ctx).resolve()).columns(task)
    return _fitting((f"{task}.{column}" for column in found), incomplete)


def _folder(ctx: click.Context) -> Path:
    """The warehouse directory: as it was given, or the one around."""
    given = ctx.params.get("warehouse")
    if given:
        return Path(str(given))
    here = Path.cwd()
    return next((one for one in (here, *here.parents) if (one / "warehouse.yaml").is_file()), here)


def _routes(ctx: click.Context) -> list[str]:
    return _folders(_folder(ctx) / "routes")


def _tasks(ctx: click.Context) -> Iterator[str]:
    root = _folder(ctx) / "routes"
    for route in _folders(root):
        for schema in _folders(root / route):
            yield from (f"{route}.{schema}.{table}" for table in _folders(root / route / schema))


def _tags(ctx: click.Context) -> list[str]:
    """The tags of tasks, and those that routes and the warehouse give all of theirs."""
    root = _folder(ctx)
    tasks = (root.joinpath("routes", *name.split("."), "task.yaml") for name in _tasks(ctx))
    routes = (root / "routes" / route / "route.yaml" for route in _routes(ctx))
    found: set[str] = set()
    for file in (root / "warehouse.yaml", *routes, *tasks):
        for match in _TAGS.finditer(_text(file)):
            found.update(_TAG.findall(_bare(match[1] or match[2])))
    return sorted(found)


def _bare(listed: str) -> str:
    """A list of YAML without its dashes and comments."""
    return re.sub(r"(?m)^[ \t]*- |#.*", " ", listed)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _folders(path: Path) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(e.name for e in entries if not e.name.startswith(".") and e.is_dir())
    except OSError:
        return []


def _fitting(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
