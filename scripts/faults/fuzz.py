"""Inputs that are broken by chance: each is loaded as it is meant, or refused with a reason.

    ./scripts/faults/run fuzz --inputs 10000 --seed 1 [--kind xlsx]…

Definitions, CSV, JSON, XML, workbooks and Parquet are made, changed by chance, and read. None may
raise anything but a DapuError, take longer than its deadline, or more memory than its bound; and
what is loaded has the values that another reader finds. Exit status 1, and the inputs stay in a
folder, when anything else happens.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as PgSession

from dapu.agents.excel import ExcelAgent, ExcelOptions
from dapu.agents.file import FileAgent, FileOptions
from dapu.agents.files_agent import FileParts
from dapu.agents.installed import known_agents
from dapu.definitions.catalogue import read_catalogue
from dapu.definitions.folders import scan
from dapu.errors import DapuError
from dapu.loading.load import load
from dapu.sources.files.combine import Gathering
from dapu.sources.files.formats.workbook import Workbooks
from dapu.sources.files.places.place import FoundFile
from dapu.statement import TableName
from dapu.warehouse.settings import Settings
from scripts.faults.fuzz_inputs import MAKERS, made
from scripts.faults.fuzz_readers import is_same, values_of
from tests.services.postgres import running_postgres

_SHARES = {"definition": 2, "csv": 2.5, "json": 1.5, "xml": 1, "parquet": 1}  # others: 0.5
_DEADLINE = 20  # seconds of one input
_MEMORY = 3 << 30  # bytes of address space of the process that reads, its child's beside
_AT_ONCE = 100  # inputs in a transaction
_TABLE = TableName("fuzz", "thing")
_WORKBOOKS = ("xlsx", "xls", "xlsb", "ods")


class Hang(BaseException):
    """An input took longer than its deadline."""


@dataclass
class Tally:
    """How inputs came out. wrong: the files that did otherwise than they may, and how."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[tuple[str, str]] = field(default_factory=list)
    slowest: float = 0
    peak: int = 0

    def add(self, other: Tally) -> None:
        """Takes those of another process."""
        self.outcomes += other.outcomes
        self.wrong += other.wrong
        self.slowest, self.peak = max(self.slowest, other.slowest), max(self.peak, other.peak)

    def table(self) -> Iterator[str]:
        """How many inputs of each kind were loaded, compared and refused."""
        names = ("loaded", "compared", "refused", "wrong")
        yield f"| input | {' | '.join(names)} |"
        yield "|---|" + "---|" * len(names)
        for kind in MAKERS:
            yield f"| {kind} | {' | '.join(str(self.outcomes[kind, name]) for name in names)} |"
        yield f"slowest {self.slowest:.1f} s, peak memory {self.peak >> 20} MB"


def run(uri: str, folder: Path, kinds: Sequence[str], numbers: range, seed: int) -> Tally:
    """One process: these inputs, in transactions that are rolled back."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.RLIM_INFINITY))
    signal.signal(signal.SIGALRM, _raise_hang)
    tally = Tally()
    with Workbooks(seconds=_DEADLINE / 2) as books:
        for start in range(numbers.start, numbers.stop, _AT_ONCE):
            session = psycopg2.connect(uri)
            with session.cursor() as cursor:
                cursor.execute("create schema fuzz; set timezone = 'UTC'; savepoint fresh")
            for number in range(start, min(start + _AT_ONCE, numbers.stop)):
                dice = random.Random(f"{seed}/{number}")
                kind = kinds[number % len(kinds)]
                path = folder / f"{number}.{'yaml' if kind == 'definition' else kind}"
                path.write_bytes(made(kind, dice))
                _one(Input(session, books, kind, path), tally)
            session.rollback()
            session.close()
    tally.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    return tally


@dataclass
class Input:
    """A file, and what it is read with."""

    session: PgSession
    books: Workbooks
    kind: str
    path: Path


def _one(given: Input, tally: Tally) -> None:
    began = time.monotonic()
    signal.alarm(_DEADLINE)
    try:
        wrong, outcome = _read(given)
    except DapuError as error:
        outcome, wrong = "refused", "fault of dapu" if "fault of dapu" in str(error) else ""
    except Hang:
        outcome, wrong = "hung", f"took longer than {_DEADLINE} seconds"
    except BaseException:  # noqa: BLE001 - that is what is looked for
        outcome, wrong = "raised", traceback.format_exc()
    finally:
        signal.alarm(0)
    with given.session.cursor() as cursor:
        cursor.execute("rollback to savepoint fresh")
    tally.slowest = max(tally.slowest, time.monotonic() - began)
    tally.outcomes[given.kind, outcome] += 1
    if wrong:
        tally.outcomes[given.kind, "wrong"] += 1
        tally.wrong.append((given.path.name, wrong))
    else:
        given.path.unlink()


def _read(given: Input) -> tuple[str, str]:
    """What is wrong, and how the input came out."""
    if given.kind == "definition":
        return "", _define(given.path)
    parts = _parts(given)
    gathering = Gathering(
        parts.parts,
        _options(given.kind).chosen_columns(),
        {},
        parts.styles,
        of_cells=parts.of_cells,
        has_steps=False,
        origin=False,
        hash_key=None,
    )
    handles = parts.parts[0].columns()
    with given.session.cursor() as cursor:
        load(cursor, _TABLE, gathering.rows(), _options(given.kind))
        cursor.execute(
            "select attname, format_type(atttypid, null) from pg_attribute where attrelid"
            " = 'fuzz.thing'::regclass and attnum > 0 order by attnum"
        )
        types = dict(cursor.fetchall())
        texts = ", ".join('"{}"::text'.format(name.replace('"', '""')) for name in types)
        cursor.execute(f"select {texts} from fuzz.thing order by ctid")
        loaded = dict(zip(types, zip(*cursor.fetchall(), strict=True), strict=False))
    expected = values_of(given.kind, given.path, handles)
    if expected is None:
        return "", "loaded"
    return _difference(given.kind, types, loaded, expected), "compared"


def _difference(
    kind: str, types: dict[str, str], loaded: dict[str, Any], expected: dict[str, list[Any]]
) -> str:
    for name, values in expected.items():
        found = loaded.get(name, ())
        if len(found) != len(values):
            return f"{len(found)} rows were loaded of {len(values)}"
        for number, (one, other) in enumerate(zip(found, values, strict=True), start=1):
            if not is_same(kind, types[name], one, other):
                return f"row {number}, {name} ({types[name]}): {one!r} for {other!r}"
    return ""


def _parts(given: Input) -> FileParts:
    found = FoundFile(given.path.name, str(given.path), given.path.stat().st_size, "")
    files = [(found, given.path)]
    if given.kind in _WORKBOOKS:
        excel = ExcelAgent()
        excel._books = given.books
        return excel.parts(_options(given.kind), files, set())
    return FileAgent().parts(_options(given.kind), files, set())


def _options(kind: str) -> Any:
    if kind in _WORKBOOKS:
        return ExcelOptions(do="excel", workbook="x")
    more: dict[str, dict[str, Any]] = {
        "csv": {"encoding": "utf-8", "delimiter": ",", "header": 1},
        "xml": {"records": "row"},
    }
    return FileOptions.model_validate({"do": "file", "file": "x", **more.get(kind, {})})


def _define(path: Path) -> str:
    """Reads a definition as the Registrar does."""
    folder = path.parent / f"{path.stem}.warehouse"
    task = folder / "routes/erp/staging/invoice"
    task.mkdir(parents=True)
    shutil.copy(path, task / "task.yaml")
    (task / "extract.sql").write_text("select 1 as invoice_id where {{ watermark }} is null")
    (folder / "routes/erp/route.yaml").write_text("connection: erp")
    (folder / "warehouse.yaml").write_text("")
    try:
        settings = Settings()
        reader = known_agents(settings).reader(settings)
        catalogue = read_catalogue(scan(folder), reader, {"erp", "main"}, {})
        return "refused" if [str(fault) for fault in catalogue.faults] else "loaded"
    finally:
        shutil.rmtree(folder)


def _raise_hang(*_: object) -> None:
    raise Hang


def _kinds(chosen: Sequence[str]) -> list[str]:
    """Each kind as often as its share is."""
    return [kind for kind in chosen for _ in range(int(10 * _SHARES.get(kind, 0.5)))]


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", action="append", choices=list(MAKERS), help="default all")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    folder, tally, began = Path(tempfile.mkdtemp(prefix="dapu-fuzz-")), Tally(), time.monotonic()
    kinds = _kinds(given.kind or list(MAKERS))
    random.Random(given.seed).shuffle(kinds)
    step = max(1, min(500, given.inputs // given.processes))
    with (
        running_postgres() as server,
        ProcessPoolExecutor(given.processes, get_context("spawn")) as pool,
    ):
        runs = [
            pool.submit(
                run,
                server.uri(),
                folder,
                kinds,
                range(at, min(at + step, given.inputs)),
                given.seed,
            )
            for at in range(0, given.inputs, step)
        ]
        for one in runs:
            tally.add(one.result())
    print("\n".join(tally.table()))
    print(f"{given.inputs} inputs of seed {given.seed} in {time.monotonic() - began:.0f} s")
    for name, wrong in tally.wrong:
        print(f"{folder / name}: {wrong}")
    if not tally.wrong:
        shutil.rmtree(folder)
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
