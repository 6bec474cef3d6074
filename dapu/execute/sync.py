"""What `dapu execute` does: rounds from an Execute server to a warehouse, and its helper views."""

from __future__ import annotations

import logging
import threading
from contextlib import closing
from datetime import datetime

from dapu.errors import ConfigurationError, DapuError
from dapu.execute.client import ExecuteAnswer, ExecuteClient
from dapu.execute.documents import Incoming
from dapu.execute.read_all import RoundTally, WantedDocuments, read_all
from dapu.execute.schema import read_schema
from dapu.execute.settings import SyncSettings
from dapu.execute.target import ExecuteTarget, MarkStep

_MARK_FILE = "last_sync_date.txt"  # in which the known client keeps its mark
_log = logging.getLogger(__name__)


class Sync:
    """Brings documents from one Execute server into one warehouse."""

    def __init__(self, settings: SyncSettings) -> None:
        self._settings = settings
        self._client: ExecuteClient | None = None
        self._target: ExecuteTarget | None = None
        self._stopped = threading.Event()

    def push(self, *, full: bool) -> RoundTally:
        """Reads what is new, or everything.

        Raises DapuError when an answer or the warehouse fails; the answers before stay.
        """
        with closing(self._open_target()) as target, closing(self._open_client()) as client:
            target.prepare()
            return _SyncRound(self._settings, client, target).run(full=full)

    def clone(self) -> None:
        """Makes the helper views, then reads everything."""
        self.create_views()
        self.push(full=True)

    def run(self, *, full: bool) -> None:
        """Pushes again and again, with a wait between, until it is stopped.

        A round that fails is logged; the next one tries again. full: of the first round that works.
        Without a wait there is one round.
        """
        while not self._stopped.is_set():
            try:
                self.push(full=full)
                full = False
            except ConfigurationError:
                raise
            except DapuError as error:
                if self._stopped.is_set():
                    break
                if not self._settings.wait:
                    raise
                _log.error("the round failed: %s", error)
            if not self._settings.wait:
                return
            _log.debug("waits %d seconds", self._settings.wait)
            self._stopped.wait(self._settings.wait)

    def stop(self) -> None:
        """Ends what is done in another thread; the answer in hand is dropped, to be read again."""
        self._stopped.set()
        if self._client is not None:
            self._client.stop()
        if self._target is not None:
            self._target.stop()

    def create_views(self) -> None:
        """Makes the helper views as Execute's schema is now."""
        with closing(self._open_target()) as target, closing(self._open_client()) as client:
            target.prepare()
            settings = self._settings
            text = client.schema(settings.include_calcs)
            schema = read_schema(text, hide_inactive=settings.hide_inactive_fields)
            for problem in target.create_views(schema):
                _log.warning("%s", problem)
        _log.info("%d document types have their views", len(schema))

    def prune(self) -> None:
        """Deletes superseded batches."""
        with closing(self._open_target()) as target:
            target.prepare()
            _log.info("%s rows of superseded batches deleted", f"{target.prune():,}")

    def _open_client(self) -> ExecuteClient:
        settings = self._settings
        secret = settings.execute_key_secret.get_secret_value()
        self._client = ExecuteClient(settings.execute_url, settings.execute_key_id, secret)
        if self._stopped.is_set():
            self._client.stop()
        return self._client

    def _open_target(self) -> ExecuteTarget:
        self._target = _open_target(self._settings.database_type, self._settings.dsn)
        return self._target


class _SyncRound:
    """One round: answer after answer, each stored with its mark."""

    def __init__(
        self, settings: SyncSettings, client: ExecuteClient, target: ExecuteTarget
    ) -> None:
        self._settings, self._client, self._target = settings, client, target
        self._stored = target.mark(client.url)

    def run(self, *, full: bool) -> RoundTally:
        settings = self._settings
        since = None if full else self._begin_at()
        _log.debug("reads %s since %s", self._client.url, since or "the beginning")
        wanted = WantedDocuments(
            settings.max_documents, settings.chunk_size, settings.include_calcs
        )
        tally = read_all(self._client, wanted, since, self._take)
        again = f", {tally.repeated:,} of them again" if tally.repeated else ""
        _log.info("%s documents%s; the mark is %s", f"{tally.documents:,}", again, self._stored)
        return tally

    def _begin_at(self) -> str | None:
        """The mark to go on from. A mark without documents is none: somebody emptied the table."""
        if self._target.is_empty():
            return None
        if self._stored is None and self._target.has_marks():
            _log.info("%s was not read before: reads it from the beginning", self._client.url)
            return None
        return self._stored or self._known_clients_mark()

    def _known_clients_mark(self) -> str | None:
        path = self._settings.state_dir / _MARK_FILE
        try:
            mark = path.read_text("utf-8", "replace").strip()
        except FileNotFoundError:
            if not path.parent.is_dir():
                _log.warning("there is no folder %s to look for %s in", path.parent, _MARK_FILE)
            return None
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
        if not mark:
            return None
        try:
            datetime.fromisoformat(mark)
        except ValueError:
            raise ConfigurationError(
                f"{path} holds {mark[:50]!r}, which is not a date; put the mark right, or remove "
                "the file to read everything"
            ) from None
        _log.info("goes on from %s, which execute-sync left in %s", mark, path)
        return mark

    def _take(self, answer: ExecuteAnswer, incoming: Incoming) -> None:
        step = MarkStep(self._client.url, self._stored, answer.mark)
        self._target.load(answer, incoming, step)
        self._stored = answer.mark
        _log.debug("%s documents up to %s", f"{incoming.documents:,}", answer.mark)


def _open_target(kind: str, dsn: str) -> ExecuteTarget:
    """Connects to a warehouse. Raises DapuError when that cannot be done."""
    if kind == "POSTGRES":
        from dapu.execute.postgres_target import PostgresTarget

        return PostgresTarget(dsn)
    if kind == "SQLITE":
        from dapu.execute.sqlite_target import SqliteTarget

        return SqliteTarget(dsn)
    if kind == "SNOWFLAKE":
        from dapu.execute.snowflake_target import SnowflakeTarget

        return SnowflakeTarget(dsn)
    if kind == "DATABRICKS":
        from dapu.execute.databricks_target import DatabricksTarget

        return DatabricksTarget(dsn)
    from dapu.execute.mssql_target import MssqlTarget

    return MssqlTarget(dsn)
