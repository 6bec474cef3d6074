"""A whole warehouse directory, read without a database."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dapu.agents.installed import known_agents
from dapu.definitions.catalogue import Catalogue, check_dependencies, read_catalogue
from dapu.definitions.folders import scan
from dapu.warehouse.warehouse import open_warehouse
from tests.support.components import write

MAIN = "- {name: main, driver: pg, database: dwh}\n- {name: erp, url: 'sqlite://'}\n"
ROUTE = {"warehouse.yaml": "", "connections.yaml": MAIN, "routes/r/route.yaml": ""}


class Read:
    """Writes files beside a route `r` and reads the whole directory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(
        self,
        files: Mapping[str, str],
        registered: Mapping[str, str | None] | None = None,
        masters: Mapping[str, list[str]] | None = None,
    ) -> Catalogue:
        write(self._folder, {**ROUTE, **files})
        warehouse = open_warehouse(self._folder)
        reader = known_agents(warehouse.settings).reader(warehouse.settings)
        catalogue = read_catalogue(
            scan(warehouse.folder), reader, warehouse.connections, registered or {}
        )
        check_dependencies(catalogue, masters or {})
        return catalogue


def told(catalogue: Catalogue, folder: Path) -> list[str]:
    """What is wrong, with paths from the directory on."""
    return [str(fault).replace(f"{folder}/", "") for fault in catalogue.faults]
