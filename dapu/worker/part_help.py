"""A worker that has nothing else to do reads parts of another worker's split load.

A part is read as the job itself would read it, and committed with its record. What goes wrong with
it is for the job to meet and to report: the part is given back, and this worker leaves the load to
others from then on.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import partial

import psycopg2

from dapu.agents.incremental.part_reader import PartRead, PartReader, Reading
from dapu.errors import DapuError
from dapu.loading.options import LoadOptions
from dapu.registry import split_parts
from dapu.registry.agenda import Claim, Job
from dapu.registry.events import Level
from dapu.registry.split_parts import PartOffer
from dapu.text import counted
from dapu.worker.claimed_task import restore
from dapu.worker.explain import explain
from dapu.worker.job_run import Workplace


class PartHelp:
    """What a worker does for the loads of others."""

    def __init__(self, workplace: Workplace) -> None:
        self._workplace = workplace
        self._left_alone: set[str] = set()
        self._begun: set[str] = set()

    def read_one(self, offers: Iterable[PartOffer]) -> tuple[str, str] | None:
        """Reads one part; returns the task, and what was done in words. None: there is none."""
        for offer in offers:
            if offer.offer in self._left_alone:
                continue
            read = self._read(offer)
            if read is not None:
                self._note_first(offer)
                rows = counted(read.rows, "row")
                return offer.task, f"read part {read.part.number} for job {offer.job}: {rows}"
        return None

    def _read(self, offer: PartOffer) -> PartRead | None:
        place = self._workplace
        is_wanted = partial(split_parts.is_offered, registry=place.registry, name=offer.offer)
        place.watch.begin(_job(offer), place.session, is_wanted=is_wanted)
        try:
            return self._reader(offer).read_next()
        except Exception as error:  # noqa: BLE001 - the load goes on without this worker
            self._left_alone.add(offer.offer)
            if place.watch.reason is None and not isinstance(error, psycopg2.InterfaceError):
                self._note(offer, "warning", f"gave a part back: {explain(error, offer.task)[0]}")
            return None
        finally:
            place.watch.end()

    def _reader(self, offer: PartOffer) -> PartReader:
        """Raises JobError where this machine's dapu is not the one that registered the task."""
        place = self._workplace
        claim = Claim(_job(offer), offer.hash, offer.definition, offer.connection, {}, {})
        options = restore(claim, place.agents, place.reader).actions[offer.action - 1]
        if not isinstance(options, LoadOptions):
            raise DapuError(f"action {offer.action} of {offer.task} loads no rows")
        return PartReader(
            place.warehouse,
            place.registry,
            place.watch.stoppable,
            offer.task,
            offer.action,
            offer.job,
            options,
            Reading.from_json(offer.reading),
            offer.at_once,
            worker=place.worker,
            only_in_state=True,
        )

    def _note_first(self, offer: PartOffer) -> None:
        if offer.offer not in self._begun:
            self._begun.add(offer.offer)
            self._note(offer, "info", "reads parts of it too")

    def _note(self, offer: PartOffer, level: Level, what: str) -> None:
        place = self._workplace
        message = f"worker {place.worker} {what}"
        place.events.write(level, message, task=offer.task, job=offer.job, action=offer.action)


def _job(offer: PartOffer) -> Job:
    """The other worker's job. Its time is for that worker to watch."""
    full, no_end = False, timedelta(0)
    return Job(offer.job, offer.task, offer.tries, offer.priority, full, offer.cause, no_end)
