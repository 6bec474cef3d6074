"""`do: connector`: a request of `dapu server`, which registers its task; no task.yaml has it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, ClassVar, Literal

from pydantic import Field

from dapu.agents.base import Agent, Context
from dapu.agents.requests import follow
from dapu.agents.requests.catalog import ReadParameters, plan_catalog
from dapu.agents.requests.connection import open_requested
from dapu.agents.streams.log import ConnectorLog
from dapu.agents.streams.reading import StreamReading
from dapu.definitions.models import ActionOptions
from dapu.errors import DapuError, JobError
from dapu.loading.result import LoadResult
from dapu.registry import requests
from dapu.registry.requests import Request
from dapu.sources.connectors.connector import Connector
from dapu.sources.documents.exact_json import dump, parse
from dapu.warehouse.seal import read_seal


class RequestOptions(ActionOptions):
    """Runs a request of `dapu server`."""

    reads = ()

    do: Literal["connector"]
    request: int = Field(description="Its number")


class ConnectorAgent(Agent[RequestOptions]):
    """Runs a request of `dapu server`."""

    name: ClassVar[str] = "connector"
    options = RequestOptions

    def run(self, context: Context, options: RequestOptions) -> LoadResult:
        """Asks the connector, and stores what it answers in the job's transaction.

        Raises JobError when a read fails; what else fails is an answer too.
        """
        with context.session.cursor() as cursor:
            request = requests.find(cursor, context.job.registry, options.request)
        if request is None or request.task != context.action.task:
            raise JobError(f"there is no request {options.request} of this task")
        return _RequestRun(context, options.request, request).run()


class _RequestRun:
    def __init__(self, context: Context, number: int, request: Request) -> None:
        self._context, self._number, self._request = context, number, request
        self._parameters: dict[str, Any] = parse(request.parameters.encode())
        sealed = request.secret
        self._secret: dict[str, Any] = (
            parse(read_seal(context.warehouse.folder).open(sealed).encode()) if sealed else {}
        )

    def run(self) -> LoadResult:
        if self._request.command == "read":
            result = self._read()
            self._answer(None, None)
            return result
        try:
            answer, error = self._ask(), None
        except DapuError as failure:
            self._context.job.stops.check()  # cancelled, or out of time
            answer, error = None, str(failure)
        self._answer(answer, error)
        said = f"{self._request.command} of {self._request.package}"
        return LoadResult(0, (f"{said}: {error or 'answered'}",), changed=False)

    def _read(self) -> LoadResult:
        context, parameters = self._context, ReadParameters.of_request(self._parameters)
        plans = plan_catalog(parameters, context.job.registry)
        connector = self._open(debug=parameters.debug)
        with context.stoppable(connector.stop), ExitStack() as stack:
            return StreamReading(context, plans, connector, stack).run()

    def _ask(self) -> Any:
        connector = self._open(debug=False)
        with self._context.stoppable(connector.stop):
            match self._request.command:
                case "spec":
                    return connector.spec()
                case "check":
                    status = connector.check()
                    word = "SUCCESS" if status.succeeded else "FAILED"
                    return {"status": word, "message": status.message}
                case _:
                    streams = connector.discover().values()
                    return {"streams": [stream.document for stream in streams]}

    def _open(self, *, debug: bool) -> Connector:
        context = self._context
        log = ConnectorLog(context.note, with_all=debug)
        config = self._secret.get("config") or {}
        where = (context.warehouse, context.job.registry, self._request)
        run_by = self._parameters["runner"]
        return open_requested(*where, config, log, run_by=run_by, debug=debug)

    def _answer(self, answer: Any, error: str | None) -> None:
        context, registry = self._context, self._context.job.registry
        result = None if answer is None else dump(answer)
        with context.session.cursor() as cursor:
            requests.answer(cursor, registry, self._number, result=result, error=error)
            task, address = self._parameters.get("thenTask"), self._secret.get("follow")
            wrong = follow.queue_task(cursor, registry, task) if task else None
            if address:
                context.job.keep()  # whoever is asked looks for the answer
                wrong = follow.call(address)
            if wrong:
                context.note(wrong)
                requests.answer(
                    cursor, registry, self._number, result=result, error=error, then_error=wrong
                )
