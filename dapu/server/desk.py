"""Where requests become jobs of the agenda. What is here once is the agenda's, not the server's."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

import psycopg2
from psycopg2.extensions import cursor as Cursor

from dapu.agents.requests.catalog import ReadParameters, plan_catalog
from dapu.agents.streams.states import entries_of
from dapu.components import steering
from dapu.components.steering import JobFilter, Operator
from dapu.errors import FaultyText, JobError
from dapu.registry import agenda, requests, workers
from dapu.registry.requests import Command, Request
from dapu.registry.store import Registry
from dapu.registry.version import check_registry, registry_of
from dapu.server.bodies import Refused
from dapu.server.settings import ServerSettings
from dapu.sources.connectors.messages import stream_name
from dapu.sources.documents.exact_json import dump, parse
from dapu.warehouse.seal import Seal, read_seal
from dapu.warehouse.warehouse import Warehouse

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,48}")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_-]+")
_SPREAD = 60  # seconds over which scheduled reads start
_TASK = re.compile(r"[^./\s]+(\.[^./\s]+){2}")


@dataclass(frozen=True)
class Asked:
    """What the caller says beside the body. follow: `thenRun`."""

    command: Command
    package: str
    version: str
    key: str | None = None
    sync_id: str | None = None
    task_id: str | None = None
    started_by: str | None = None
    follow: str | None = None
    workspace_id: str | None = None
    full_sync: bool = False


class Desk:
    """Takes requests for one warehouse."""

    def __init__(self, warehouse: Warehouse, settings: ServerSettings) -> None:
        self.warehouse, self._settings = warehouse, settings
        self._registry: Registry = registry_of(warehouse)
        self.seal: Seal = read_seal(warehouse.folder)

    def check_ready(self) -> None:
        """Raises DapuError when the warehouse cannot be reached, or has no registry of today."""
        with self.warehouse.session("server") as session, session.cursor() as cursor:
            check_registry(cursor, self._registry)

    def ask(self, asked: Asked, config: Mapping[str, Any]) -> None:
        """Queues `spec`, `check` or `discover`. One that waits already is replaced."""
        subject = asked.key if asked.key is not None else f"{asked.package} {asked.version}"
        follow, then_task = self._follow(asked)
        parameters = {"thenTask": then_task} if then_task else {}
        secret = {"config": config, "follow": follow}
        request = self._request(asked, _name(subject), parameters, secret)
        with self.warehouse.session("server") as session, session, session.cursor() as cursor:
            requests.take_turn(cursor, self._registry, request.task)
            requests.queue(cursor, self._registry, request, self._settings.timeout)

    def read(
        self,
        asked: Asked,
        body: Mapping[str, Any],
        parameters: Mapping[str, Any],
        *,
        full: bool,
        is_delayed: bool,
    ) -> None:
        """Queues a read. A scheduled one is dropped when the sync is read already.

        full: from the beginning. is_delayed: it is scheduled, and starts within a minute.
        Raises Refused for what cannot be read so, and when another read of the sync waits or runs.
        """
        sync_id = str(asked.sync_id)
        states = None if full else _states(body)
        known = {"catalog": body["catalog"], "schema": self._settings.schema, **parameters}
        try:
            plan_catalog(ReadParameters.of_request(known), self._registry)
        except JobError as error:
            raise Refused(400, str(error)) from None
        request = self._request(asked, _name(sync_id), known, {"config": body["config"]})
        delay = timedelta(seconds=_spread(sync_id) if is_delayed else 0)
        with self.warehouse.session("server") as session, session, session.cursor() as cursor:
            requests.take_turn(cursor, self._registry, request.task)
            if self._is_taken(cursor, request, is_scheduled=is_scheduled(asked.started_by)):
                return
            job = requests.queue(
                cursor, self._registry, request, self._settings.timeout, full=full, delay=delay
            )
            if states is not None:
                requests.set_states(cursor, self._registry, request.task, states, job)

    def cancel(self, sync_id: str, task_id: str, by: Operator) -> None:
        """Cancels a read that waits or runs. What it has committed stays."""
        with self.warehouse.session("server") as session, session, session.cursor() as cursor:
            jobs = requests.find_reads(cursor, self._registry, sync_id, task_id)
            steering.cancel(cursor, self._registry, JobFilter(jobs), by)

    def due(self) -> int:
        """How many jobs of requests could start now, those of dead workers among them."""
        with self.warehouse.session("server") as session, session.cursor() as cursor:
            # A worker does so too, but where all have died none is started without it.
            with suppress(psycopg2.errors.UniqueViolation), session:  # a task was queued just now
                workers.free_jobs_of_the_dead(cursor, self._registry)
            return requests.due(cursor, self._registry)

    def counts(self) -> tuple[list[tuple[str, str, int]], dict[str, int]]:
        """(command, status, how many) of the requests; and how many jobs have which status."""
        with self.warehouse.session("server") as session, session.cursor() as cursor:
            of_requests = requests.counts(cursor, self._registry)
            return of_requests, agenda.counts(cursor, self._registry)

    def _is_taken(self, cursor: Cursor, request: Request, *, is_scheduled: bool) -> bool:
        """Whether there is nothing to do: the same was asked for before, or the schedule waits."""
        if requests.is_known(cursor, self._registry, str(request.sync_id), str(request.task_id)):
            return True
        other = requests.unfinished(cursor, self._registry, request.task)
        if other is not None and not is_scheduled:
            raise Refused(
                409, f"the sync {request.sync_id} is {other.status} already: task {other.task_id}"
            )
        return other is not None

    def _request(
        self, asked: Asked, name: str, parameters: Mapping[str, Any], secret: Mapping[str, Any]
    ) -> Request:
        return Request(
            asked.command,
            asked.package,
            asked.version,
            dump({"runner": self._settings.runner, **parameters}),
            requests.task_name(asked.command, name),
            asked.key,
            asked.sync_id,
            asked.task_id,
            asked.started_by,
            self.seal.close(dump(dict(secret))),
        )

    def _follow(self, asked: Asked) -> tuple[dict[str, Any] | None, str | None]:
        """What `thenRun` says: an address with its token, or a task of the warehouse."""
        then, settings = asked.follow, self._settings
        if not then or then.lower() in ("false", "0"):
            return None, None
        if then.startswith(("http://", "https://")):
            return {"url": then}, None
        if _TASK.fullmatch(then):
            return None, then
        if then.lower() not in ("true", "1"):
            raise Refused(400, "thenRun: give a task (route.schema.table), an address, or `true`")
        if settings.console_url is None or asked.workspace_id is None:
            raise Refused(400, "thenRun=true needs SYNCCTL_CONSOLE_URL here, and `workspaceId`")
        ids = {"syncId": asked.sync_id or "", "taskId": asked.task_id or ""}
        query = urlencode(
            {**ids, "skipRefresh": "true", "nodelay": "true"}
            | ({"fullSync": "true"} if asked.full_sync else {})
        )
        base = settings.console_url.rstrip("/")
        url = f"{base}/api/{quote(asked.workspace_id, safe='')}/sources/run?{query}"
        return {"url": url, "token": settings.console_token}, None


def is_scheduled(started_by: str | None) -> bool:
    """Whether a schedule started the read, and not a person."""
    if started_by is None:
        return False
    found = parse(started_by.encode())
    return isinstance(found, dict) and found.get("trigger") == "scheduled"


def _states(body: Mapping[str, Any]) -> dict[str, Any] | None:
    if body.get("state") is None:
        return None
    streams = [one["stream"] for one in body["catalog"]["streams"]]
    names = [stream_name(one["name"], one.get("namespace")) for one in streams]
    try:
        return entries_of(body["state"], names)
    except FaultyText as error:
        raise Refused(400, f"state: {error}") from None


def _name(subject: str) -> str:
    """A part of a task's id: what the caller says, or something like it with a checksum."""
    if _PLAIN.fullmatch(subject):
        return subject
    digest = hashlib.sha256(subject.encode()).hexdigest()[:12]
    return f"{_NOT_PLAIN.sub('-', subject)[:40].strip('-')}-{digest}"


def _spread(sync_id: str) -> int:
    return int.from_bytes(hashlib.sha256(sync_id.encode()).digest()[:4]) % _SPREAD
