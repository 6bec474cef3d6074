"""`do: airbyte`: streams of a connector that speaks the Airbyte protocol become tables."""

from __future__ import annotations

from typing import ClassVar, Literal

from dapu.agents.base import Agent, Context
from dapu.agents.streams.options import ConnectorOptions
from dapu.agents.streams.reading import read_streams
from dapu.loading.result import LoadResult


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
        return read_streams(context, options)
