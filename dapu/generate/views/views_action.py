"""A `do: views` of a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dapu.definitions.sql_placeholders import settled
from dapu.definitions.templates import read_template
from dapu.generate.views.view_options import ViewsOptions
from dapu.registry.store import Registry
from dapu.statement import Statement
from dapu.warehouse.connections import MAIN
from dapu.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class ViewsAction:
    """One `do: views` of a task. names: what its templates know."""

    warehouse: Warehouse
    registry: Registry
    task: str
    folder: Path
    names: Mapping[str, Any]
    options: ViewsOptions

    @property
    def schema(self) -> str:
        """Where its views are made."""
        return self.options.schema_name or self.task.split(".")[1]

    @property
    def is_elsewhere(self) -> bool:
        """Whether its views are in another database than the warehouse's own."""
        return self.options.connection not in (None, MAIN)

    def key_of(self, wanted: str) -> str:
        """The key of a group as a person may write it: an address in any case, without 0x."""
        if self.options.abi is None:
            return wanted
        return f"0x{wanted.lower().removeprefix('0x')}"

    def query_of_contracts(self, count: int | None) -> tuple[Path, Statement] | None:
        """The task's own query of contracts, with its file."""
        if self.options.query is None:
            return None
        path = self.folder / self.options.query
        template = read_template(path)
        rendered = template.render(dict(self.names) | {"count": count})
        return path, settled(path, template.text, rendered)
