"""The four commands of a connector: spec, check, discover and read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dapu.errors import JobError
from dapu.sources.connectors.config import Config
from dapu.sources.connectors.messages import (
    Catalog,
    ConnectionStatus,
    ConnectorFailure,
    Document,
    FaultyMessage,
    Level,
    Log,
    Message,
    NewConfig,
    Spec,
    StreamName,
    StreamRecord,
    read_message,
)
from dapu.sources.connectors.prepared import Prepared
from dapu.sources.connectors.process import ConnectorProcess, running
from dapu.sources.connectors.runner import Runner, Verb
from dapu.sources.connectors.streams import Stream, streams_of
from dapu.warehouse.connection_kinds import ConnectorConnection

Answer = TypeVar("Answer")


@dataclass
class Connector:
    """One connector with its configuration.

    log: takes each line of its log.
    """

    connection: ConnectorConnection
    runner: Runner
    config: Config
    log: Callable[[Level, str], None]
    process: ConnectorProcess | None = field(default=None, init=False)

    def spec(self) -> Document:
        """What it wants in its configuration: `connectionSpecification` is a JSON Schema."""
        if self.runner.spec is not None:
            return dict(self.runner.spec)
        return self._ask("spec", {}, Spec).spec

    def check(self) -> ConnectionStatus:
        """Whether its configuration works."""
        return self._ask("check", {"config": self._config()}, ConnectionStatus)

    def discover(self) -> dict[StreamName, Stream]:
        """The streams that it has."""
        return streams_of(self._discovered())

    def streams(self) -> dict[StreamName, Stream]:
        """The streams that it has, to read them: a manifest that says all of them is not run."""
        kept = self.runner.catalog
        if kept is None:
            return self.discover()
        found = kept.read()
        if found is None:
            found = self._discovered()
            kept.write(found)
        return streams_of(found)

    def _discovered(self) -> list[Document]:
        return self._ask("discover", {"config": self._config()}, Catalog).streams

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
        return self.config.document | dict(self.runner.injected)

    def _ask(self, verb: Verb, documents: Mapping[str, Any], kind: type[Answer]) -> Answer:
        with self._running(verb, documents) as messages:
            found = [message for message in messages if isinstance(message, kind)]
        if not found:
            raise JobError(f"the connector {self.connection} does not answer `{verb}`")
        return found[-1]

    @contextmanager
    def _running(self, verb: Verb, documents: Mapping[str, Any]) -> Iterator[Iterator[Message]]:
        with self._process(verb, documents) as process:
            yield self._messages(process)

    @contextmanager
    def _process(self, verb: Verb, documents: Mapping[str, Any]) -> Iterator[ConnectorProcess]:
        with self.runner.prepared(documents) as prepared:
            words, silence = self._words(verb, prepared), self.connection.silence
            with running(words, prepared, self._log_line, silence) as process:
                self.process = process
                try:
                    yield process
                finally:
                    self.process = None

    def _words(self, verb: Verb, prepared: Prepared) -> list[str]:
        return self.runner.words(verb, prepared)

    def _read_line(self, line: bytes) -> Message | None:
        return read_message(line)

    def _messages(self, process: ConnectorProcess) -> Iterator[Message]:
        failure: ConnectorFailure | None = None
        torn: FaultyMessage | None = None
        for line in process.lines():
            try:
                message = self._read_line(line)
            except FaultyMessage as error:
                if line.endswith(b"\n"):
                    raise
                torn = error  # the last line, of a connector that was killed
                break
            if message is not None and not self._handles(message):
                failure = failure or (message if isinstance(message, ConnectorFailure) else None)
                yield message
        self._check_end(process, failure)
        if torn is not None:
            raise torn

    def _handles(self, message: Message) -> bool:
        """Whether a message is for dapu itself, whatever the command is."""
        match message:
            case StreamRecord():  # nearly all are
                return False
            case Log():
                self.log(message.level, message.message)
            case NewConfig():
                self._renew(message.config)
            case _:
                return False
        return True

    def _renew(self, config: Document) -> None:
        injected = self.runner.injected
        self.config.renew({key: value for key, value in config.items() if key not in injected})

    def _check_end(self, process: ConnectorProcess, failure: ConnectorFailure | None) -> None:
        status = process.result()
        if failure is not None and failure.stream is None:
            raise JobError(f"the connector {self.connection} failed: {failure.message}")
        if status != 0:
            why = f": {failure.message}" if failure else process.last_words()
            raise JobError(f"the connector {self.connection} ended with status {status}{why}")

    def _log_line(self, text: str) -> None:
        self.log("info", text)
