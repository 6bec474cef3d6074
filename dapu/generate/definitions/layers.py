"""The layers of a Web Feature Service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from dapu.generate.definitions.source_table import Offered, Table
from dapu.sources.http.session import HttpSession
from dapu.sources.wfs.service import Layer, Service
from dapu.warehouse.connection_kinds import WfsConnection


class LayerTables:
    """See `Tables`. The first features say more than the schema: the loader makes the table."""

    def __init__(self, connection: WfsConnection) -> None:
        self._session = HttpSession(connection, lambda _: None)
        self._service = Service(connection, self._session)

    @cached_property
    def _found(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self._service.capabilities.layers}

    def offered(self) -> Sequence[Offered]:
        """See `Tables`."""
        return [Offered(name, (name.rpartition(":")[2], name)) for name in self._found]

    def describe(self, label: str, known: Mapping[str, str]) -> Table:  # noqa: ARG002 - as they are
        """See `Tables`."""
        action = {"do": "wfs", "layer": label}
        return Table(label, action, (), comment=self._found[label].title, is_typed=False)

    def close(self) -> None:
        """See `Tables`."""
        self._session.close()
