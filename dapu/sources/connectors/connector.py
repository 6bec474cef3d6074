"""A connector that is asked: what it wants, whether it works, what it has, and its records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dapu.errors import JobError
from dapu.sources.connectors.messages import (
    Catalog,
    ConnectionStatus,
    Document,
    Failure,
    Level,
    Log,
    Message,
    Spec,
    StreamName,
    read_message,
)
from dapu.sources.connectors.process import ConnectorProcess, running
from dapu.sources.connectors.runners import Runner, Verb
from dapu.sources.connectors.secret_file import secret_files
from dapu.sources.connectors.streams import Stream, streams_of
from dapu.warehouse.connection_kinds import ConnectorConnection

Answer = TypeVar("Answer")


@dataclass
class Connector:
    """One connector with its configuration.

    log: takes each line of its log. config: as it is given, or as the connector changed it.
    """

    connection: ConnectorConnection
    runner: Runner
    config: Document
    log: Callable[[Level, str], None]
    process: ConnectorProcess | None = field(default=None, init=False)

    def spec(self) -> Document:
        """What it wants in its configuration: `connectionSpecification` is a JSON Schema."""
        return self._ask("spec", {}, Spec).spec

    def check(self) -> ConnectionStatus:
        """Whether its configuration works."""
        return self._ask("check", {"config": self._config()}, ConnectionStatus)

    def discover(self) -> dict[StreamName, Stream]:
        """The streams that it has."""
        return streams_of(self._ask("discover", {"config": self._config()}, Catalog).streams)

    @contextmanager
    def read(self, catalog: Document, state: Sequence[Document]) -> Iterator[Iterator[Message]]:
        """Its messages, while the block runs. Raises JobError when it fails or is silent.

        catalog: the configured catalog. state: of the last reading; empty at the first.
        """
        documents: dict[str, Any] = {"config": self._config(), "catalog": catalog}
        if state:
            documents["state"] = list(state)
        with self._running("read", documents) as messages:
            yield messages

    def stop(self) -> None:
        """Ends it from another thread."""
        if self.process is not None:
            self.process.end("it was stopped")

    def _config(self) -> Document:
        return self.config | dict(self.runner.injected)

    def _ask(self, verb: Verb, documents: Mapping[str, Any], kind: type[Answer]) -> Answer:
        with self._running(verb, documents) as messages:
            found = [message for message in messages if isinstance(message, kind)]
        if not found:
            raise JobError(f"the connector {self.connection} gives no answer to `{verb}`")
        return found[-1]

    @contextmanager
    def _running(self, verb: Verb, documents: Mapping[str, Any]) -> Iterator[Iterator[Message]]:
        with secret_files(documents) as files:
            words = self.runner.words(verb, {name: file.path for name, file in files.items()})
            silence = self.connection.silence
            log = self._log_line
            with running(words, list(files.values()), log, silence) as process:
                self.process = process
                try:
                    yield self._messages(process)
                finally:
                    self.process = None

    def _messages(self, process: ConnectorProcess) -> Iterator[Message]:
        failure: Failure | None = None
        for line in process.lines():
            message = read_message(line)
            match message:
                case None:
                    continue
                case Log():
                    self.log(message.level, message.message)
                    continue
                case Failure():
                    failure = failure or message
            yield message
        status = process.result()
        if failure is not None and failure.stream is None:
            raise JobError(f"the connector {self.connection} failed: {failure.message}")
        if status != 0:
            why = f": {failure.message}" if failure else process.last_words()
            raise JobError(f"the connector {self.connection} ended with status {status}{why}")

    def _log_line(self, text: str) -> None:
        self.log("info", text)
