"""dapu: a definition-driven ELT framework for PostgreSQL warehouses, run from cron.

What an author of an agent may import stands here, and nothing else keeps its place: see
docs/writing-an-agent.md. A name is imported when it is first used, so that `dapu --version` does
not wait for the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dapu.version import __version__

if TYPE_CHECKING:
    from dapu.agents.base import Action, Agent, Context, RunningJob, SourceAgent, SourceState
    from dapu.definitions.models import ActionOptions
    from dapu.errors import JobError
    from dapu.loading.options import LoadOptions
    from dapu.loading.result import LoadResult
    from dapu.registry.watermarks import Watermark
    from dapu.rows.rows import ArrowRows, Column, CopyRows, QueryRows, RowOrigin, Rows
    from dapu.statement import Statement, TableName

__all__ = [
    "Action",
    "ActionOptions",
    "Agent",
    "ArrowRows",
    "Column",
    "Context",
    "CopyRows",
    "JobError",
    "LoadOptions",
    "LoadResult",
    "QueryRows",
    "RowOrigin",
    "Rows",
    "RunningJob",
    "SourceAgent",
    "SourceState",
    "Statement",
    "TableName",
    "Watermark",
    "__version__",
]
_MODULES = {
    "dapu.agents.base": "Action Agent Context RunningJob SourceAgent SourceState",
    "dapu.definitions.models": "ActionOptions",
    "dapu.errors": "JobError",
    "dapu.loading.options": "LoadOptions",
    "dapu.loading.result": "LoadResult",
    "dapu.registry.watermarks": "Watermark",
    "dapu.rows.rows": "ArrowRows Column CopyRows QueryRows RowOrigin Rows",
    "dapu.statement": "Statement TableName",
}


def __getattr__(name: str) -> Any:
    """A name of the public face, from its module (PEP 562)."""
    for module, names in _MODULES.items():
        if name in names.split():
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
