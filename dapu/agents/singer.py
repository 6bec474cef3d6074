"""`do: singer`: streams of a Singer tap become tables."""

from __future__ import annotations

from typing import ClassVar, Literal

from dapu.agents.base import Agent, Context
from dapu.agents.streams.options import ConnectorOptions
from dapu.agents.streams.reading import read_streams
from dapu.loading.result import LoadResult


class SingerOptions(ConnectorOptions):
    """Reads streams of a Singer tap into tables."""

    do: Literal["singer"]


class SingerAgent(Agent[SingerOptions]):
    """Reads streams of a Singer tap."""

    name: ClassVar[str] = "singer"
    options = SingerOptions

    def run(self, context: Context, options: SingerOptions) -> LoadResult:
        """Reads the streams, and keeps them as far as the tap's states say.

        Raises JobError when a stream failed; what was kept of it and of others stays.
        """
        return read_streams(context, options)
