"""docs/connectors.md: what becomes of 60 connectors of the package index.

    ./scripts/connectors/run report [--name pokeapi]…

Of each the manifest is read as text out of its package. A declarative one without code of its own
is taken through spec, check, discover and read, by the same code that a task runs: its URLs point
to a server of this machine, and its configuration is made from its spec.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from dapu.errors import DapuError
from dapu.sources.connectors import manifest
from dapu.sources.connectors.config import ConnectorConfig
from dapu.sources.connectors.connector import Connector
from dapu.sources.connectors.environments import environment_of, program_of
from dapu.sources.connectors.messages import StreamRecord
from dapu.sources.connectors.runner import Runner
from dapu.sources.connectors.streams import Stream
from dapu.warehouse.connection_kinds import ConnectorConnection
from scripts.connectors.answers import answering, made_config, pointed_to
from scripts.connectors.names import NAMES

_PAGE = Path("docs/connectors.md")
_STEPS = ("spec", "check", "discover")
_LONGEST = 160  # characters of a reason
_INTRODUCTION = """\
# Connectors of the package index

Which connectors run without docker, and how far. This page is made by
`./scripts/connectors/run report` from {count} packages `airbyte-source-*` of the kinds that people
ask for. The manifest of each is read as text out of its package. A declarative one without Python
code of its own is then taken through `spec`, `check`, `discover` and `read` by airbyte-cdk {cdk}
(6.33.7 where a manifest's templates use `stream_state`, which later ones refuse),
with a server on the same machine in the place of the service: it shows that dapu and the CDK run
the manifest, not that the service answers as it once did.

| what it is | connectors | what to write |
| --- | --- | --- |
| declarative | {declarative} | `manifest: true` |
| declarative, with Python code beside | {custom} | the package itself, without `manifest` |
| Python | {python} | the package itself, without `manifest` |
| cannot be fetched | {unknown} | |

Of the {declarative} declarative ones {passed} pass `spec`, `check` and `discover` ({share:.0f} %).
"""


@dataclass
class Found:
    """What became of a connector. kind: what it is. steps: those that it passed."""

    use: str
    name: str
    version: str
    kind: str = "declarative"
    steps: list[str] = field(default_factory=list)
    streams: int = 0
    records: int = 0
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Whether it went through all that the report asks for."""
        return self.kind == "declarative" and len(self.steps) == len(_STEPS)

    def row(self) -> str:
        """Its line in the table."""
        steps = [("yes" if step in self.steps else "no") for step in _STEPS]
        if self.kind != "declarative":
            steps = [""] * len(_STEPS)
        counts = [f"{self.streams:,}", f"{self.records:,}"] if self.passed else ["", ""]
        cells = [self.use, self.name, self.version, self.kind, *steps, *counts, self.reason]
        return f"| {' | '.join(cells)} |"


def main() -> int:
    """Reads the command line, takes all through, writes the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="where connectors are installed")
    parser.add_argument("--name", action="append", help="only this one, and no page")
    given = parser.parse_args()
    cache = given.cache.absolute()
    names = [
        Found(use, name, version)
        for use, those in NAMES.items()
        for name, version in those.items()
        if not given.name or name in given.name
    ]
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(lambda one: _take_through(one, cache), names):
            print(found.row(), flush=True)
    if not given.name:
        _PAGE.write_text("\n".join(_page(names)), encoding="utf-8")
    return 0


def _take_through(found: Found, cache: Path) -> Found:
    package = f"airbyte-source-{found.name}"
    try:
        path = manifest.manifest_of_package(cache, package, found.version)
        document = manifest.read_manifest(path)
        custom = manifest.custom_components(document)
        if custom:
            found.kind = "declarative, with code"
            found.reason = ", ".join(f"`{one.rpartition('.')[2]}`" for one in custom[:3])
            return found
        with answering(document) as url:
            _ask(found, pointed_to(document, url), url, cache, path.parent)
    except DapuError as error:
        found.reason = found.reason or _reason(str(error))
        if "no manifest.yaml" in str(error):
            found.kind, found.reason = "Python", ""
        elif "cannot be fetched" in str(error):
            found.kind = "unknown"
    return found


def _ask(found: Found, document: dict[str, Any], url: str, cache: Path, texts: Path) -> None:
    spec = manifest.spec_of(document)
    config = made_config(spec["connectionSpecification"], url)
    with tempfile.TemporaryDirectory(prefix="dapu-") as folder:
        connector = _connector(document, config, cache, texts, Path(folder))
        if spec["connectionSpecification"]:
            found.steps.append("spec")
        status = connector.check()
        if status.succeeded:
            found.steps.append("check")
        else:
            found.reason = _reason(f"check: {status.message}")
        streams = connector.discover()
        found.steps.append("discover")
        found.streams = len(streams)
        if found.passed:
            found.records = _count(connector, next(iter(streams.values())))


def _connector(
    document: dict[str, Any], config: dict[str, Any], cache: Path, texts: Path, folder: Path
) -> Connector:
    connection = ConnectorConnection(
        name="report",
        driver="connector",
        manifest="manifest.yaml",
        silence=timedelta(seconds=90),
    )
    place = environment_of(cache, manifest.CDK, manifest.cdk_of(document))
    injected = {manifest.INJECTED: document}
    runner = Runner([str(program_of(place, manifest.PROGRAM))], injected, folder=texts)
    kept = ConnectorConfig(config, folder / "config.json", "made")
    return Connector(connection, runner, kept, lambda *_: None)


def _count(connector: Connector, stream: Stream) -> int:
    """The records of a stream; 0 where the made answers are not what it needs."""
    configured = {
        "stream": stream.document,
        "sync_mode": "full_refresh",
        "destination_sync_mode": "overwrite",
    }
    try:
        with connector.read({"streams": [configured]}, []) as messages:
            return sum(isinstance(message, StreamRecord) for message in messages)
    except DapuError:
        return 0


def _reason(text: str) -> str:
    line = " ".join(text.replace("|", "/").split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _page(every: Sequence[Found]) -> Iterator[str]:
    declarative = [one for one in every if one.kind == "declarative"]
    passed = sum(one.passed for one in declarative)
    yield _INTRODUCTION.format(
        count=len(every),
        cdk=manifest.cdk_of({}),
        declarative=len(declarative),
        custom=sum(one.kind == "declarative, with code" for one in every),
        python=sum(one.kind == "Python" for one in every),
        unknown=sum(one.kind == "unknown" for one in every),
        passed=passed,
        share=100 * passed / max(len(declarative), 1),
    )
    headings = ["for", "connector", "version", "kind", *_STEPS, "streams", "read", "reason"]
    yield f"| {' | '.join(headings)} |"
    yield f"|{' --- |' * len(headings)}"
    for one in every:
        yield one.row()
    yield ""


if __name__ == "__main__":
    sys.exit(main())
