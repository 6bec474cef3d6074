"""Nothing lost, nothing doubled: connectors and workers are killed at random moments.

    ./scripts/connectors/run kills --rounds 100 --real 20 --seed 1

Each round a source grows, a worker starts to read it, and the worker or its connector is killed
(SIGKILL) at a random moment; workers go on until nothing is left to do, and the table is compared
with what the connector has. The real connector is airbyte-source-faker, which is installed once
into --cache. Exit status 1 when anything differs; the warehouse directory then stays.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from textwrap import dedent

from scripts.connectors import counting_connector
from scripts.connectors.stage import Stage, a_stage
from scripts.faults.load_stage import ended, wait_until

FAKER = "7.2.1"
_GROWTH = 6_000  # records of each stream a round
_USERS = 5_000  # of the real connector; its records are the same in each reading
_VICTIMS = ("worker", "connector")
_OPEN = "select count(*) from meta.agenda where status in ('waiting', 'running')"


@dataclass(frozen=True)
class Subject:
    """A task that is killed. tables: that it fills."""

    task: str
    tables: Sequence[str]
    is_real: bool = False


# By the name of their connection: the kind of state, and how the two streams are loaded.
_LOADS = {
    "appended": ("stream", "append", "append"),
    "merged": ("stream", "merge", "merge"),
    "together": ("global", "append", "append"),
    "mixed": ("global", "append", "replace"),
    "whole": ("stream", "replace", "replace"),
}
SUBJECTS = [Subject(f"{name}.staging.{name}", (f"{name}_one", f"{name}_two")) for name in _LOADS]
# The real one sends all its records again after any state (`always_updated`). Without that it takes
# any state for the end, also one in the middle, so that nothing could go on from it.
REAL = [
    Subject("faker.staging.users", ("users",), is_real=True),
    Subject("faker.staging.whole_users", ("whole_users",), is_real=True),
]


def main() -> int:
    """Reads the command line, runs the rounds, prints what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=80, help="with the counting connector")
    parser.add_argument("--real", type=int, default=20, help="rounds with the real one")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--cache", type=Path, required=True, help="where connectors are installed")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="dapu-connectors-"))
    started = time.monotonic()
    with a_stage(folder, _connections(folder), _tasks(with_real=given.real > 0)) as stage:
        (folder / ".dapu").mkdir()
        (folder / ".dapu/connectors").symlink_to(given.cache.resolve())
        rounds = _Rounds(stage, random.Random(given.seed))
        for number in range(given.rounds):
            rounds.run(SUBJECTS[number % len(SUBJECTS)], number)
        for number in range(given.real):
            rounds.run(REAL[number // 2 % 2], number)
    took = time.monotonic() - started
    print(f"seed {given.seed}, {took:.0f} s", *rounds.table(), sep="\n")
    if rounds.wrong:
        print(f"look into {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


class _Rounds:
    """Runs rounds. hits: kills that came while the job ran."""

    def __init__(self, stage: Stage, dice: random.Random) -> None:
        self._stage, self._dice = stage, dice
        self._sizes = Counter[str]()
        self._takes: dict[str, float] = {}
        self._kills, self._hits = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        self.wrong: list[str] = []

    def run(self, subject: Subject, number: int) -> None:
        """One round. number: the how manyth of its kind."""
        if subject.is_real:  # its records are the same each time: it is read anew
            self._stage.rows(f"drop table if exists staging.{subject.tables[0]}")
        else:
            self._sizes[subject.task] += _GROWTH
            place = self._stage.folder / subject.task.partition(".")[0]
            (place / "size").write_text(str(self._sizes[subject.task]))
        if subject.task not in self._takes:
            self._measure(subject)
            return self.run(subject, number)
        victim = _VICTIMS[number % 2]
        job = self._stage.queue(subject.task)
        try:
            self._harm(subject, victim, job)
            faults = self._differences(subject)
        except (TimeoutError, RuntimeError) as error:
            faults = [str(error)]
        for fault in faults:
            self.wrong.append(fault)
            print(f"{subject.task}, {victim} killed: {fault}", flush=True)
        return None

    def table(self) -> list[str]:
        """How often each was killed, and in brackets how often while its job ran."""
        lines = ["| task | " + " | ".join(_VICTIMS) + " |", "|---|---|---|"]
        for task in dict.fromkeys(task for task, _ in self._kills):
            cells = [f"{self._kills[task, one]} ({self._hits[task, one]})" for one in _VICTIMS]
            lines.append(f"| {task} | {' | '.join(cells)} |")
        hits, kills = self._hits.total(), self._kills.total()
        return [*lines, f"{kills} kills, {hits} while a job ran; {len(self.wrong)} wrong"]

    def _measure(self, subject: Subject) -> None:
        self._stage.queue(subject.task)
        self._go_on()
        [(seconds,)] = self._stage.rows(
            "select extract(epoch from ended_at - started_at)::float8 from meta.agenda "
            "where task = %s order by job desc limit 1",
            (subject.task,),
        )
        self._takes[subject.task] = seconds

    def _harm(self, subject: Subject, victim: str, job: int) -> None:
        with self._stage.worker() as worker:
            wait_until(lambda: not (worker.is_alive() and self._status(job) == "waiting"))
            time.sleep(self._dice.uniform(0, self._takes[subject.task]))
            was_running = self._status(job) == "running"
            pids = [pid for pid in _children(worker) if victim == "connector"]
            if victim == "worker":
                worker.kill()
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._kills[subject.task, victim] += 1
            self._hits[subject.task, victim] += was_running and (victim == "worker" or bool(pids))
            ended(worker)
        self._go_on()

    def _go_on(self) -> None:
        """Starts workers until nothing is left to do."""
        for _ in range(4):
            if self._stage.rows(_OPEN) == [(0,)]:
                return
            with self._stage.worker() as worker:
                ended(worker)
        if self._stage.rows(_OPEN) != [(0,)]:
            raise RuntimeError("a job is still open after four workers")

    def _status(self, job: int) -> str:
        query = "select status from meta.agenda where job = %s"
        return str(self._stage.rows(query, (job,))[0][0])

    def _differences(self, subject: Subject) -> list[str]:
        size = _USERS if subject.is_real else self._sizes[subject.task]
        found = []
        for table in subject.tables:
            query = f"select count(*), count(distinct id), min(id), max(id) from staging.{table}"
            counts = self._stage.rows(query)[0]
            if counts != (size, size, 1, size):
                found.append(f"{table} has (rows, ids, least, greatest) {counts}, not {size:,}")
        jobs = "select message from meta.agenda where status <> 'done'"
        found += [f"a job is not done: {message}" for (message,) in self._stage.rows(jobs)]
        if "Traceback" in self._stage.log:
            found.append("a worker printed a traceback into worker.log")
        return found


def _children(process: ForkServerProcess) -> list[int]:
    """The processes that a worker has started: its connectors and their guards."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == process.pid:
                found.append(int(folder.name))
    return found


def _connections(folder: Path) -> str:
    program = [sys.executable, counting_connector.__file__]
    entries = []
    for name, (states, *_) in _LOADS.items():
        (folder / name).mkdir()
        entries.append(
            f"- {{name: {name}, driver: connector, command: {[*program, str(folder / name)]},\n"
            f"   config: {{every: 500, states: {states}}}}}\n"
        )
    entries.append(
        f"- {{name: faker, driver: connector, package: airbyte-source-faker, version: {FAKER},\n"
        f"   config: {{count: {_USERS}, seed: 1, parallelism: 1, always_updated: true}}}}\n"
    )
    return "".join(entries)


def _tasks(*, with_real: bool) -> dict[str, str]:
    tasks = {}
    for subject in SUBJECTS:
        name = subject.task.partition(".")[0]
        _, one, two = _LOADS[name]
        tasks[subject.task] = dedent(f"""\
            actions:
            - do: airbyte
              prefix: {name}_
              streams: {{one: {{load: {one}}}, two: {{load: {two}}}}}
            """)
    if with_real:
        for subject, load in zip(REAL, ("merge", "replace"), strict=True):
            action = f"{{do: airbyte, stream: users, load: {load}}}"
            tasks[subject.task] = f"actions: [{action}]\n"
    return tasks


if __name__ == "__main__":
    sys.exit(main())
