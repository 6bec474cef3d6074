"""A program that speaks a connector's protocol, and how one run of it is started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dapu.sources.connectors.kept_catalog import KeptCatalog
from dapu.sources.connectors.prepared import Prepared
from dapu.sources.connectors.secret_file import secret_files

Verb = Literal["spec", "check", "discover", "read"]


@dataclass(frozen=True)
class Runner:
    """A program that speaks the Airbyte protocol.

    command: its first words. injected: keys that its configuration gets beside the user's.
    spec: what it wants in its configuration, where the program is not asked for it.
    folder: where it looks for the schemas that the manifest of a package names.
    catalog: where its streams are kept, if they do not depend on its configuration.
    debug: whether it logs all that it does.
    """

    command: Sequence[str]
    injected: Mapping[str, Any] = field(default_factory=dict)
    spec: Mapping[str, Any] | None = None
    folder: Path | None = None
    catalog: KeptCatalog | None = None
    debug: bool = False

    @contextmanager
    def prepared(self, documents: Mapping[str, Any]) -> Iterator[Prepared]:
        """What one run is started with, while the block runs. documents: its files, as JSON."""
        with secret_files(documents) as files:
            paths = {name: file.path for name, file in files.items()}
            yield Prepared(self.command, paths, list(files.values()), self.folder)

    def words(self, verb: Verb, prepared: Prepared) -> list[str]:
        """The whole command."""
        debug = ["--debug"] if self.debug else []
        return [*prepared.command, verb, *prepared.options, *debug]
