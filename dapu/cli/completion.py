"""What the shells complete: tasks, routes, schemas and columns, from the files alone.

A shell asks at each press of the tab key, so that nothing large is imported here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
from click.shell_completion import CompletionItem

_KINDS = ("tag:", "route:", "failed:", "changed:")


def tasks(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of tasks: `erp.staging.sale`, or `staging.sale` for who begins with the schema."""
    return _fitting(_tasks(ctx), incomplete)


def selectors(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Tasks, schemas as patterns, and selectors: with `+` before them too."""
    plus = "+" if incomplete.startswith("+") else ""
    body = incomplete.removeprefix("+")
    if body.startswith("route:"):
        names: Iterable[str] = (f"route:{route}" for route in _routes(ctx))
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


def _folders(path: Path) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(e.name for e in entries if not e.name.startswith(".") and e.is_dir())
    except OSError:
        return []


def _fitting(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
