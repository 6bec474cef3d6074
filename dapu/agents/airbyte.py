"""`do: airbyte`: streams of a connector that speaks the Airbyte protocol become tables."""

from __future__ import annotations

from contextlib import ExitStack
from typing import ClassVar, Literal

from dapu.agents.base import Agent, Context
from dapu.agents.streams.log import ConnectorLog
from dapu.agents.streams.options import ConnectorOptions
from dapu.agents.streams.reading import StreamReading
from dapu.errors import JobError
from dapu.loading.result import LoadResult
from dapu.sources.connectors.connector import open_connector


class AirbyteOptions(ConnectorOptions):
    """Reads streams of an Airbyte connector into tables."""

    do: Literal["airbyte"]


class AirbyteAgent(Agent[AirbyteOptions]):
    """Reads streams of a connector that speaks the Airbyte protocol."""

    name: ClassVar[str] = "airbyte"
    options = AirbyteOptions

    def run(self, context: Context, options: AirbyteOptions) -> LoadResult:
        """Reads the streams, and keeps them as far as the connector's states say.

        Raises JobError when a stream failed; what was kept of it and of others stays.
        """
        if context.backfill is not None:
            raise JobError("--from and --to need an action with a `watermark`")
        name = options.connection or context.action.connection
        connector = open_connector(context.warehouse, name, ConnectorLog(context.note))
        with context.stoppable(connector.stop), ExitStack() as stack:
            return StreamReading(context, options, connector, stack).run()
