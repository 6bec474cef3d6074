"""Nothing lost, nothing doubled: kills, cuts and crashes in the middle of loads of every mode.

    ./scripts/faults/run load --rounds 200 --seed 1

Each round changes a source, starts a real worker, does one harm at a random moment of its job,
lets a worker go on until nothing is left to do, and compares target and source row by row.
Exit status 1 when anything differs; the warehouse directory with the worker's log then stays.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from scripts.faults.load_harm import FAULTS
from scripts.faults.load_modes import MODES, Mode, change_source, differences, held, make_source
from scripts.faults.load_stage import Stage, a_stage, ended, one, rows, wait_until

_ROWS = 30_000  # of each source
_FREE_AGAIN = 30.0  # seconds in which the job of a dead worker is to be run again, and done
_LEFT = """
    select 'schema ' || nspname from pg_namespace where nspname ~ '^dapu_(new|old)_'
    union all select 'table ' || relname from pg_class where relname ~ '__parts[0-9]*$'
    union all select 'part of ' || task from meta.part
    union all select 'job ' || job || ' is ' || status from meta.agenda where status <> 'done'
"""


@dataclass(frozen=True)
class Plan:
    """What a round does. first: the target is dropped before. moment: seconds into the job."""

    mode: Mode
    fault: str
    full: bool
    first: bool
    changes: int
    change_while_down: bool

    def __str__(self) -> str:
        more = [
            name
            for name, holds in (
                ("first load", self.first),
                ("--full", self.full),
                ("source changed while down", self.change_while_down),
            )
            if holds
        ]
        return ", ".join([f"{self.mode.name}: {self.fault}", f"{self.changes} changes", *more])


@dataclass
class Results:
    """How the rounds went. hits: harm that came while the job ran; slowest: seconds to the end."""

    rounds: Counter[tuple[str, str]] = field(default_factory=Counter)
    hits: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def table(self) -> Iterator[str]:
        """Rounds by mode and fault, in brackets those whose job was running just then."""
        faults = dict.fromkeys(fault for _, fault in self.rounds)
        yield "| mode | " + " | ".join(faults) + " |"
        yield "|---|" + "---|" * len(faults)
        for mode in dict.fromkeys(mode for mode, _ in self.rounds):
            cells = [f"{self.rounds[mode, x]} ({self.hits[mode, x]})" for x in faults]
            yield f"| {mode} | " + " | ".join(cells) + " |"
        total = self.rounds.total()
        yield f"{total} rounds, {self.hits.total()} in the middle of a job; {len(self.wrong)} wrong"
        slowest = ", ".join(f"{name} {self.slowest[name]:.1f} s" for name in faults)
        yield f"slowest from fault to all done: {slowest}"


class Rounds:
    """Runs rounds on a stage. dice: what happens; when exactly is never the same."""

    def __init__(
        self, stage: Stage, modes: Sequence[Mode], faults: Sequence[str], dice: random.Random
    ) -> None:
        self.stage, self._modes, self._faults, self._dice = stage, modes, faults, dice
        self._takes: dict[tuple[str, bool], float] = {}
        self.results = Results()

    def prepare(self, count: int) -> None:
        """Makes the sources, and measures how long jobs take that nothing happens to."""
        self.stage.take_up()
        for mode in self._modes:
            with self.stage.source_session() as source:
                make_source(source, mode, count, self._dice)
        for whole in (True, False):
            for mode in self._modes:
                self.stage.queue(mode.task, full=False)
                self._change(mode, 300)
            self._go_on()
            self._measure(whole)

    def run(self, count: int, report: Callable[[str], None]) -> None:
        """Runs so many rounds, over all modes in turn."""
        for number in range(count):
            mode = self._modes[number % len(self._modes)]
            plan = self._plan(mode, self._faults[number // len(self._modes) % len(self._faults)])
            for text in self._round(plan):
                self.results.wrong.append(text)
                report(f"round {number + 1}, {plan}: {text}")

    def _plan(self, mode: Mode, fault: str) -> Plan:
        dice = self._dice
        return Plan(
            mode,
            fault,
            full=dice.random() < 0.3,
            first=dice.random() < 0.3,
            changes=dice.choice((50, 3000, 8000)),
            change_while_down=mode.while_down and dice.random() < 0.4,
        )

    def _round(self, plan: Plan) -> list[str]:
        stage, mode = self.stage, plan.mode
        with stage.target_session() as target:
            if plan.first:
                rows(target, f"drop table if exists {mode.target}")
            before = held(target, mode)
        self._change(mode, plan.changes)
        job, said = stage.queue(mode.task, full=plan.full), len(stage.said)
        try:
            seconds = self._harm(plan, job)
            if plan.change_while_down:  # what a try may have read before is read again
                stage.queue(mode.task, full=False)
                self._go_on()
        except (TimeoutError, RuntimeError) as error:  # it hangs, or says that it failed
            return [str(error)]
        wrong = [f"all done only after {seconds:.1f} s"] if seconds > _FREE_AGAIN else []
        if "Traceback" in stage.said[said:]:
            wrong.append("a worker wrote a traceback into worker.log")
        with stage.target_session() as target, stage.source_session() as source:
            wrong += [f"left: {what}" for (what,) in rows(target, _LEFT)]
            return wrong + differences(source, target, mode, before)

    def _harm(self, plan: Plan, job: int) -> float:
        """Runs the job with a fault in it to its end; returns the seconds from then to the end."""
        stage, results, kind = self.stage, self.results, (plan.mode.name, plan.fault)
        hasty = plan.fault.startswith("silent")
        with FAULTS[plan.fault](stage) as harm, stage.worker(hasty=hasty) as worker:
            self._wait_for_start(job, worker)
            takes = self._takes[plan.mode.name, plan.first or plan.full]
            time.sleep(self._dice.uniform(0, takes))
            results.rounds[kind] += 1
            results.hits[kind] += self._status(job) == "running"
            started = time.monotonic()
            harm(worker)
            if plan.change_while_down:
                self._change(plan.mode, plan.changes)
            ended(worker)
        self._go_on()
        seconds = time.monotonic() - started
        results.slowest[plan.fault] = max(results.slowest[plan.fault], seconds)
        return seconds

    def _wait_for_start(self, job: int, worker: ForkServerProcess) -> None:
        query = "select status = 'waiting' from meta.agenda where job = %s"
        with self.stage.target_session() as target:
            wait_until(lambda: not (worker.is_alive() and one(target, query, (job,))))

    def _go_on(self) -> None:
        """Starts workers until nothing is left to do; more than a few are not needed."""
        open_jobs = "select count(*) from meta.agenda where status in ('waiting', 'running')"
        for _ in range(3):
            with self.stage.target_session() as target:
                if one(target, open_jobs) == 0:
                    return
            with self.stage.worker() as worker:
                ended(worker)
                if worker.exitcode != 0:
                    raise RuntimeError(f"a worker ended with status {worker.exitcode}")

    def _status(self, job: int) -> str:
        with self.stage.target_session() as target:
            return str(one(target, "select status from meta.agenda where job = %s", (job,)))

    def _change(self, mode: Mode, count: int) -> None:
        with self.stage.source_session() as source:
            change_source(source, mode, count, self._dice)

    def _measure(self, whole: bool) -> None:
        took = "select extract(epoch from ended_at - started_at)::float8 from meta.agenda"
        for mode in self._modes:
            last = " where task = %s order by job desc limit 1"
            with self.stage.target_session() as target:
                self._takes[mode.name, whole] = one(target, took + last, (mode.task,))


@contextmanager
def on_stage(
    folder: Path,
    modes: Sequence[Mode],
    faults: Sequence[str],
    seed: int,
    count: int = _ROWS,
) -> Iterator[Rounds]:
    """Rounds that are ready to run. count: rows of each source at the start."""
    files = {name: text for mode in modes for name, text in mode.files().items()}
    with a_stage(folder, files) as stage:
        rounds = Rounds(stage, modes, faults, random.Random(seed))
        rounds.prepare(count)
        yield rounds


def main() -> int:
    """Reads the command line, runs the rounds, prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--mode", action="append", choices=list(MODES), help="default: all")
    parser.add_argument("--fault", action="append", choices=list(FAULTS), help="default: all")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="dapu-faults-"))
    started = time.monotonic()
    modes, faults = [MODES[name] for name in given.mode or MODES], given.fault or list(FAULTS)
    with on_stage(folder, modes, faults, given.seed) as rounds:
        rounds.run(given.rounds, lambda line: print(line, flush=True))
    print(
        f"seed {given.seed}, {time.monotonic() - started:.0f} s", *rounds.results.table(), sep="\n"
    )
    if rounds.results.wrong:
        print(f"look into {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
