"""Connections to PostgreSQL: what is set in each of them, and what stands in between.

Settings are made once the connection is there, not only at its start: a pooler drops or refuses
those of the start. A connection whose other side vanished without a word is known to be dead after
half a minute, on both sides.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Literal

import psycopg2
from psycopg2 import extensions, sql
from psycopg2.extensions import cursor as Cursor

from dapu.errors import ConfigurationError
from dapu.named_sql import compose, statement

# https://www.postgresql.org/docs/current/libpq-connect.html: an idle connection is asked for a
# sign of life after 10 s, then every 5 s, three times; what is sent must be acknowledged in 30 s.
NOTICES_SILENCE: Mapping[str, int] = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
# The same on the server: a dead client's queries stop there, and its locks fall.
SERVER_NOTICES: Mapping[str, str] = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "30000",  # an answer that was on its way: no keepalive is sent beside it
}
# Within five seconds it notices that the client's process has ended; some systems cannot.
_CHECK = {"client_connection_check_interval": "5s"}
# Where dapu's own statements look names up: functions that others made elsewhere are not taken
# for the built-in ones.
OWN_PATH = "pg_catalog, pg_temp"
# What `set` takes as `set_config` does; it takes a list for the name of one.
_PLAIN = re.compile(r"[\w/+:.-]+")
_CANCEL_WITHIN = 5  # seconds
_TRIES = 5  # to see a pooler's other session: other clients may come between
_OPTION = re.compile(r"(?:-c\s*|--)([\w.-]+)=((?:\\.|[^\\\s])*)(?=\s|$)")


def _with_values(query: sql.Composable, cursor: Cursor) -> str:
    """Its text for psycopg2, which takes a percent sign in a name for the place of a value."""
    if isinstance(query, sql.Composed):
        return "".join(_with_values(part, cursor) for part in query.seq)
    text = query.as_string(cursor)
    is_given = isinstance(query, sql.Identifier | sql.Literal)
    return text.replace("%", "%%") if is_given else text


class _SessionCursor(Cursor):
    """Looks names up in OWN_PATH, unless it runs the SQL of others.

    Where that is to be set, it goes with the statement: asking for it alone would take as long as
    a small job.
    """

    def execute(self, query: Any, values: Any = None) -> None:
        session = session_of(self)
        if values and isinstance(query, sql.Composable):
            query = _with_values(query, self)
        if session.runs_others:
            return super().execute(query, values)
        if session.get_transaction_status() == extensions.TRANSACTION_STATUS_INERROR:
            session.path = "unknown"  # until now: what goes back to a savepoint may change it
            return super().execute(query, values)
        if session.path == "own":
            return super().execute(query, values)
        if self.name:  # psycopg2 puts `declare` before
            with session.cursor() as other:
                other.execute("")
            return super().execute(query, values)
        text = query.as_string(self) if isinstance(query, sql.Composable) else query
        text = text.decode() if isinstance(text, bytes) else text
        keep = session.path == "others"
        name = "session.own_path_for_now" if keep else "session.own_path"
        super().execute(f"{statement(name)};\n{text}", values)
        if not session.autocommit:  # there it was set for this statement alone
            session.path, session.is_path_kept = "own", keep
        return None


class Session(extensions.connection):
    """A connection whose settings are known.

    keywords: of libpq, for another like it. settings: what was set in it, by name.
    not_from_start: the names among them that `reset all` loses.
    backend: the process that serves it; behind a pooler another than it got at its start.
    given_path: the search_path that the role, the database or `options` give.
    """

    keywords: dict[str, Any]
    settings: dict[str, str]
    not_from_start: Collection[str]
    backend: int
    given_path: str
    runs_others: bool = True  # whether what is executed now is the SQL of others
    path: Literal["own", "others", "unknown"] = "others"  # where names are looked up now
    is_path_kept: bool = False  # whether that of others is kept in the transaction

    @property
    def is_pooled(self) -> bool:
        """Whether a pooler stands between."""
        return self.backend != self.get_backend_pid()

    def cancel(self) -> None:
        """Ends what runs in it, with an error there; waits no longer than for a new connection.

        psycopg2's own way stops all threads of the process until the server has answered, which
        one that vanished never does. Raises psycopg2.Error.
        """
        other = psycopg2.connect(**{**self.keywords, "connect_timeout": _CANCEL_WITHIN})
        try:
            with other.cursor() as cursor:
                cursor.execute(statement("session.cancel"), {"backend": self.backend})
        finally:
            other.close()

    @property
    def set_up_values(self) -> dict[str, Any]:
        """What the statement `session.set_up` takes."""
        return _set_up_values(self.settings)

    @property
    def begins_on_own_path(self) -> bool:
        """Whether its transactions do: not where the SQL of others comes first in most of them."""
        return self.settings.get("search_path") == OWN_PATH

    def reset_with_next(self) -> str:
        """SQL that undoes what the SQL of others set or left behind, for before a statement.

        Each job ends with it.
        """
        self.path, self.is_path_kept = "own", False
        return self._resetting

    @cached_property
    def _resetting(self) -> str:
        lost = {k: v for k, v in self.settings.items() if k in self.not_from_start}
        plain = {k: v for k, v in lost.items() if _PLAIN.fullmatch(v)}
        others = {k: v for k, v in lost.items() if k not in plain}
        with self.cursor() as cursor:
            texts = [statement("server.reset_session")]
            for name, value in plain.items():  # half the time of `set_up`
                one = {"name": sql.Identifier(name), "value": sql.Literal(value)}
                texts.append(compose("session.set", **one).as_string(cursor))
            if others:
                values = _set_up_values(others)
                texts.append(cursor.mogrify(statement("session.set_up"), values).decode())
            texts.append(statement("session.own_path"))
        return "".join(f"{text};\n" for text in texts)

    def commit(self) -> None:
        """Ends the transaction, and with it what was set for its time."""
        super().commit()
        self._begin_anew()

    def rollback(self) -> None:
        """Ends the transaction, and with it what was set for its time."""
        super().rollback()
        self._begin_anew()

    def make_own(self) -> None:
        """From now on what is executed is dapu's own, but for the SQL within `given_path`."""
        self.runs_others = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.path, self.is_path_kept = "own" if self.begins_on_own_path else "others", False


def _set_up_values(settings: Mapping[str, str]) -> dict[str, Any]:
    return {"names": list(settings), "values": list(settings.values()), "in_transaction": False}


def connect(
    keywords: Mapping[str, Any], settings: Mapping[str, str] | None, *, from_start: bool = False
) -> Session:
    """Connects, and sets what is asked for and what `options` among the keywords asks for.

    keywords: of libpq; those given win over `NOTICES_SILENCE`.
    settings: None sets nothing; the caller does it in each transaction, with `set_up_here`, and
    then a pooler may stand between whatever its mode.
    from_start: where no pooler stands between, they hold from the session's start on, so that they
    are also what a reset leaves: worth it where each job ends with one.
    Raises psycopg2.Error, or ConfigurationError for a pooler that gives each transaction another
    session.
    """
    wanted = {**NOTICES_SILENCE, **_with_dsn_read(keywords), "client_encoding": "UTF8"}
    chosen, rest = _read_options(str(wanted.pop("options", "")))
    if rest:
        wanted["options"] = rest
    session = _start(wanted, {**chosen, **(settings or {})}) if from_start else _open(wanted)
    try:
        session.keywords, session.settings = wanted, chosen
        _begin(session, chosen.get("search_path"))
        if settings is not None:
            _prepare(session, {**chosen, **settings})
            if session.is_pooled:
                _check_pooler(session, wanted)
    except BaseException:
        session.close()
        raise
    return session


def _start(keywords: dict[str, Any], settings: Mapping[str, str]) -> Session:
    # The path is set later: first it shows what the role and the database give.
    asked = {**settings, **_CHECK, "search_path": None}
    options = [str(keywords.get("options", "")), *map(_option, asked.items())]
    try:
        return _open({**keywords, "options": " ".join(filter(None, options))})
    except psycopg2.OperationalError as error:
        # PgBouncer's words, or those of a server whose system cannot do `_CHECK`.
        if not any(word in str(error) for word in ("startup parameter", *_CHECK)):
            raise
        return _open(keywords)


def _open(keywords: dict[str, Any]) -> Session:
    session: Session = psycopg2.connect(
        connection_factory=Session, cursor_factory=_SessionCursor, **keywords
    )
    return session


def _option(setting: tuple[str, str | None]) -> str:
    name, value = setting
    return "" if value is None else f"-c {name}=" + re.sub(r"([\\\s])", r"\\\1", value)


def _with_dsn_read(keywords: Mapping[str, Any]) -> dict[str, Any]:
    given = dict(keywords)
    dsn = given.pop("dsn", None)
    return {**(extensions.parse_dsn(dsn) if dsn else {}), **given}


def _read_options(text: str) -> tuple[dict[str, str], str]:
    """The settings in libpq's `options` (`-c name=value`), and what else stands there."""
    chosen = {
        match[1].replace("-", "_"): re.sub(r"\\(.)", r"\1", match[2])
        for match in _OPTION.finditer(text)
    }
    return chosen, _OPTION.sub("", text).strip()


def _begin(session: Session, path: str | None) -> None:
    session.autocommit = True
    with session.cursor() as cursor:
        cursor.execute(statement("session.began"))
        session.backend, server_path = cursor.fetchone() or (0, "")
    session.given_path = path or server_path
    session.autocommit = False


def _prepare(session: Session, settings: dict[str, str]) -> None:
    session.autocommit = True
    with session.cursor() as cursor:
        session.settings = {**settings, **_CHECK}
        try:
            cursor.execute(statement("session.set_up"), session.set_up_values)
        except psycopg2.Error as error:
            (check,) = _CHECK
            if check not in str(error):
                raise
            session.settings = settings
            cursor.execute(statement("session.set_up"), session.set_up_values)
        changed = [name for name, was_so in cursor if not was_so]
    # What a pooler's session has may be what its last client set.
    session.not_from_start = session.settings if session.is_pooled else changed
    session.autocommit = False


def _check_pooler(session: Session, keywords: Mapping[str, Any]) -> None:
    """Refuses a pooler in transaction mode.

    There a session of the server goes to whoever asks next: to another connection of ours while
    this one is open, or this one gets another.
    """
    try:
        if _served_by(session) != session.backend or _is_shared(session, keywords):
            raise _transaction_mode()
    # `pool_mode = statement` allows no transaction, and cuts the connection.
    except (psycopg2.errors.ProtocolViolation, psycopg2.InterfaceError):
        raise _transaction_mode() from None


def _is_shared(session: Session, keywords: Mapping[str, Any]) -> bool:
    other = psycopg2.connect(**keywords)
    try:
        for _ in range(_TRIES):
            mine, theirs = _served_by(session), _served_by(other)
            if theirs == mine or mine != session.backend:
                return True
    finally:
        other.close()
    return False


def _served_by(session: extensions.connection) -> int:
    with session, session.cursor() as cursor:
        cursor.execute(statement("session.began"))
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def _transaction_mode() -> ConfigurationError:
    return ConfigurationError(
        "the pooler in front of the database gives each transaction another session (PgBouncer's "
        "`pool_mode = transaction` or `statement`), and dapu's locks and settings need one "
        "of their own: connect to the server itself, or to a pool with `pool_mode = session`"
    )


def session_of(cursor: Cursor) -> Session:
    """The session of `connect` that a cursor belongs to."""
    session = cursor.connection
    assert isinstance(session, Session)
    return session


def set_up_here(cursor: Cursor) -> None:
    """Makes the settings for the transaction that is open, and no longer."""
    session = session_of(cursor)
    if session.is_pooled:  # another process may serve each transaction
        cursor.execute(statement("session.began"))
        session.backend = (cursor.fetchone() or (0,))[0]
    if session.settings:
        values = session.set_up_values | {"in_transaction": True}
        cursor.execute(statement("session.set_up"), values)


def reset(cursor: Cursor) -> None:
    """Undoes what the SQL of others set or left behind in the session."""
    cursor.execute(session_of(cursor).reset_with_next())


@contextmanager
def given_path(cursor: Cursor) -> Iterator[None]:
    """The SQL of others runs under the search_path that they have, in the open transaction."""
    session = session_of(cursor)
    if session.path != "others":
        name = "session.kept_path" if session.is_path_kept else "session.given_path"
        cursor.execute(statement(name), {"path": session.given_path})
        session.path = "others"
    before, session.runs_others = session.runs_others, True
    try:
        yield
    finally:
        session.runs_others = before
