"""The tools of `dapu mcp`.

The protocol: https://modelcontextprotocol.io/specification/
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

from dapu.definitions.folders import scan
from dapu.errors import DapuError
from dapu.mcp.commands import answer
from dapu.suggest import nearest
from dapu.version import __version__
from dapu.warehouse.yamlfile import read_text

_INSTRUCTIONS = """\
A PostgreSQL warehouse that dapu fills. A task fills one table and is named route.schema.table; a
definition is the YAML and SQL files of its folder. Begin with `status`; `why` says why a task does
not run, `task` all that is known of one. Nothing here changes anything.
"""
_READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True)
_SUFFIXES = (".yaml", ".sql")


def make_server(folder: Path, connection: str | None) -> MCPServer[Any]:
    """A server of one warehouse directory.

    connection: for queries, of a role that may only read; None: there is no tool for them.
    """
    server = MCPServer(
        f"dapu {folder.name}", instructions=_INSTRUCTIONS, version=__version__, log_level="ERROR"
    )
    tools = _Tools(folder, connection)
    asked: list[Callable[..., Any]] = [tools.status, tools.why, tools.task, tools.lineage]
    asked += [tools.impact, tools.definition, tools.preview]
    if connection is not None:
        asked.append(tools.query)
    for tool in asked:
        server.tool(annotations=_READS, structured_output=False)(tool)
    return server


class _Tools:
    """Each is a command with --json; its docstring is what an assistant reads."""

    def __init__(self, folder: Path, connection: str | None) -> None:
        self._folder, self._connection = folder, connection

    async def status(self, tasks: list[str] | None = None, limit: int = 200) -> str:
        """State, last and next run of tasks, those that failed first.

        tasks: names, patterns or selectors: `staging.*`, `tag:daily`, `+mart.sales` (and what it
        depends on), `failed:`; all when left out.
        """
        return await self._ask("status", tasks or [], f"--limit={limit}")

    async def why(self, tasks: list[str]) -> str:
        """Why tasks do not run now, and when they will. tasks: as for `status`."""
        return await self._ask("why", tasks)

    async def task(self, task: str) -> str:
        """All that the registry knows of a task.

        Its masters, dependents, watermark, jobs, events, checks, rejected rows and steps.
        """
        return await self._ask("status", [task])

    async def lineage(self, task: str) -> str:
        """What a task's table is made of, and what is made of it: tables and columns."""
        return await self._ask("lineage", [task])

    async def impact(self, column: str) -> str:
        """What depends on a column. column: `schema.table.column`."""
        return await self._ask("impact", [column])

    async def definition(self, task: str) -> str:
        """The YAML and SQL files of a task's folder, by name. task: route.schema.table."""
        known = scan(self._folder).tasks
        if task not in known:
            raise ToolError(f"there is no task `{task}`{nearest(task, known)}")
        folder = known[task].path
        files = sorted(path for path in folder.rglob("*") if path.suffix in _SUFFIXES)
        texts = {path.relative_to(folder).as_posix(): read_text(path) for path in files}
        return json.dumps(texts, ensure_ascii=False, indent=1)

    async def preview(self, task: str, rows: int = 20) -> str:
        """The columns and first rows of a task's source; asks the source, writes nothing."""
        return await self._ask("preview", [task], f"--rows={rows}")

    async def query(self, sql: str, limit: int = 100) -> str:
        """The rows that a SQL query gives in the warehouse. limit: at most so many, up to 10,000.

        It runs as a role that may only read, in a transaction that only reads.
        """
        return await self._ask(
            "query", [sql], f"--limit={limit}", f"--connection={self._connection}"
        )

    async def _ask(self, command: str, arguments: list[str], *options: str) -> str:
        try:
            return await answer(self._folder, command, arguments, *options)
        except DapuError as error:
            raise ToolError(str(error)) from None
