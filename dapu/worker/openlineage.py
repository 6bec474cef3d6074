"""Each job's beginning and end as events of OpenLineage (openlineage.io)."""

from __future__ import annotations

import platform
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from dapu.errors import ConfigurationError
from dapu.registry import tasks
from dapu.registry.agenda import Job
from dapu.registry.events import Level
from dapu.registry.version import registry_of
from dapu.secrets import redact
from dapu.version import __version__
from dapu.warehouse.settings import OpenLineageSettings
from dapu.warehouse.warehouse import Warehouse
from dapu.worker.column_lineage import ColumnLineage
from dapu.worker.job import Outcome

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient

_PRODUCER = f"https://pypi.org/project/dapu/{__version__}"
_PATIENCE = 5.0  # seconds for an event
_GIVES_UP = 3  # events that failed one after the other
_ENDINGS = {"done": "COMPLETE", "failed": "FAIL", "waiting": "FAIL", "lost": "FAIL"}


class OpenLineage:
    """A reporter that sends events, from a thread of its own: no job waits for the server.

    warn: gets, once, that the server does not take them; the rest are not sent then.
    """

    def __init__(
        self, warehouse: Warehouse, settings: OpenLineageSettings, warn: Callable[[str], None]
    ) -> None:
        self._client = _client(settings)
        self._namespace = settings.namespace or warehouse.name
        self._warn = warn
        self._failed = 0
        keywords = warehouse.libpq()
        self._database = str(keywords.get("dbname") or "")
        host = str(keywords.get("host") or "localhost")
        host = platform.node() if host.startswith("/") else host  # a socket is on this machine
        self._place = f"postgres://{host}:{keywords.get('port') or 5432}"
        registry = registry_of(warehouse)
        with warehouse.session("openlineage") as session, session.cursor() as cursor:
            self._masters = tasks.masters(cursor, registry)
        self._columns = ColumnLineage(warehouse)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="dapu-openlineage")

    def __enter__(self) -> OpenLineage:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._thread.shutdown(wait=True)

    def started(self, job: Job) -> None:
        """See `Reporter`."""
        self._submit(job, "START")

    def progress(self, job: Job, rows: int) -> None:
        """See `Reporter`."""

    def ended(self, job: Job, outcome: Outcome) -> None:
        """See `Reporter`."""
        self._submit(job, _ENDINGS.get(outcome.status, "ABORT"), outcome)

    def note(self, level: Level, task: str, message: str) -> None:
        """See `Reporter`."""

    def _submit(self, job: Job, state: str, outcome: Outcome | None = None) -> None:
        at = datetime.now(UTC).isoformat()
        self._thread.submit(self._send, job, state, at, outcome)

    def _send(self, job: Job, state: str, at: str, outcome: Outcome | None) -> None:
        if self._failed >= _GIVES_UP:
            return
        try:
            self._client.emit(self._event(job, state, at, outcome))
            self._failed = 0
        except Exception as error:  # noqa: BLE001 - whatever it is, no job is to suffer
            self._failed += 1
            if self._failed == 1:
                said = redact(str(error)).splitlines() or [type(error).__name__]
                self._warn(f"openlineage: the server does not take events: {said[0]}")

    def _event(self, job: Job, state: str, at: str, outcome: Outcome | None) -> Any:
        from openlineage.client import event_v2 as lineage
        from openlineage.client.generated.error_message_run import ErrorMessageRunFacet
        from openlineage.client.generated.output_statistics_output_dataset import (
            OutputStatisticsOutputDatasetFacet,
        )

        of_run: dict[str, Any] = {}
        of_output: dict[str, Any] = {}
        of_table: dict[str, Any] = {}
        if outcome is not None and state == "FAIL":
            of_run["errorMessage"] = ErrorMessageRunFacet(redact(outcome.message), "SQL")
        if outcome is not None and state == "COMPLETE":
            of_output["outputStatistics"] = OutputStatisticsOutputDatasetFacet(outcome.rows)
            of_table = self._column_lineage(job.task)
        name = f"{self._place}/{self._database} job {job.number} try {job.tries}"
        return lineage.RunEvent(
            eventType=lineage.RunState(state),
            eventTime=at,
            producer=_PRODUCER,
            run=lineage.Run(str(uuid5(NAMESPACE_URL, name)), of_run),
            job=lineage.Job(self._namespace, job.task),
            inputs=[
                lineage.InputDataset(self._place, self._table(master))
                for master in self._masters.get(job.task, [])
            ],
            outputs=[
                lineage.OutputDataset(
                    self._place, self._table(job.task), of_output, facets=of_table
                ),
            ],
        )

    def _column_lineage(self, task: str) -> dict[str, Any]:
        from openlineage.client.generated.column_lineage_dataset import (
            ColumnLineageDatasetFacet,
            Fields,
            InputField,
        )

        fields = {
            name: Fields(
                [
                    InputField(self._place, f"{self._database}.{table}", column)
                    for table, column in origins
                ]
            )
            for name, origins in self._columns.of(task).items()
        }
        return {"columnLineage": ColumnLineageDatasetFacet(fields)} if fields else {}

    def _table(self, task: str) -> str:
        return f"{self._database}.{task.partition('.')[2]}"


def _client(settings: OpenLineageSettings) -> OpenLineageClient:
    try:
        from openlineage.client import OpenLineageClient
        from openlineage.client.transport.http import (
            ApiKeyTokenProvider,
            HttpConfig,
            HttpTransport,
        )
    except ImportError:
        raise ConfigurationError("openlineage: needs `pip install 'dapu[openlineage]'`") from None
    more: dict[str, Any] = {}
    if settings.api_key is not None:
        more["auth"] = ApiKeyTokenProvider({"apiKey": settings.api_key.get_secret_value()})
    config = HttpConfig(
        url=settings.url, endpoint=settings.endpoint, timeout=_PATIENCE, retry={"total": 1}, **more
    )
    return OpenLineageClient(transport=HttpTransport(config))
