"""What an agent is, and what a job gives it.

An agent is a class with a `name` (what stands after `do:`), a model of its `options`, and `run`.
Most agents bring rows from somewhere: they are `SourceAgent`s, which only read; the loader does
the rest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from psycopg2.extensions import connection as PgSession

from dapu.agents.sent import Sent
from dapu.definitions.models import ActionOptions
from dapu.definitions.sql_placeholders import settled
from dapu.definitions.templates import read_template
from dapu.errors import JobError
from dapu.loading.load import Scope, load
from dapu.loading.options import LoadOptions
from dapu.loading.result import LoadResult
from dapu.registry.store import Registry
from dapu.registry.watermarks import Watermark
from dapu.rows.rows import Rows
from dapu.statement import Statement, TableName
from dapu.warehouse.warehouse import Warehouse

Options = TypeVar("Options", bound=ActionOptions)
LoadingOptions = TypeVar("LoadingOptions", bound=LoadOptions)


class Stops(Protocol):
    """Whether the job is to stop, and how work that is running is stopped from another thread."""

    def check(self) -> None:
        """Raises JobInterrupted when the job is to end."""
        ...

    def on_stop(self, stop: Callable[[], None]) -> Callable[[], None]:
        """`stop` is called when the job is to end at once; returns what takes it back."""
        ...


class Note(Protocol):
    """Writes an event of the running action."""

    def __call__(self, message: str, data: dict[str, Any] | None = None) -> None:
        """message: what happened, for a person. data: details."""
        ...


@dataclass(frozen=True)
class Action:
    """Which action of which task it is that runs."""

    task: str
    """The task's full name: `example.staging.calendar`."""

    position: int
    """Which of the task's actions it is, from 1."""

    folder: Path
    """The task's folder, with its task.yaml and SQL files."""

    connection: str
    """The name of the route's connection."""

    source: str
    """What the action reads, in a line: a source's state is kept under this."""

    variables: Mapping[str, Any]
    """The task's variables, for templates."""

    @property
    def has_steps(self) -> bool:
        """Whether the task's table has steps of its own in ver/."""
        return (self.folder / "ver").is_dir()


@dataclass
class SourceState:
    """What dapu keeps of a source from one run to the next."""

    watermark: Watermark | None = None
    """How far the source was read."""

    entries: dict[str, Any] = field(default_factory=dict)
    """Parts of the source (files, pages) by name, and how they were: a hash, an ETag."""

    backfilled: tuple[Any, Any] | None = None
    """The values between which a backfill read, both included; None is without a bound."""


@dataclass(frozen=True)
class RunningJob:
    """The job that an action belongs to."""

    number: int
    """Its number in the agenda."""

    registry: Registry
    """For an agent that keeps more than a `SourceState`, in the job's transaction."""

    stops: Stops
    """Where to leave word of how running work is stopped: see `Context.stoppable`."""

    keep: Callable[[], None]
    """Commits what the job has done so far, unless it is no longer this worker's. For a source that
    says itself up to where it was read: what is kept stays, whatever becomes of the job."""

    exit_stack: ExitStack
    """Context managers that are entered here end when all actions and checks are done, right before
    the commit; what is raised through them says that the job failed."""


@dataclass
class Context:
    """What an agent works with: one action of one job."""

    warehouse: Warehouse
    """The warehouse's folder, settings and connections."""

    session: PgSession
    """The warehouse's database, in the job's transaction; an agent never commits."""

    table: TableName
    """The task's table."""

    note: Note
    """Writes an event, which can be seen while the job runs."""

    action: Action
    job: RunningJob

    full: bool = False
    """Everything is to be read, changed or not (`--full`); `state_before` is empty then."""

    backfill: Mapping[str, str | None] | None = None
    """The values `from` and `to` of the watermark's column between which an operator wants rows
    read again; the watermark is not moved then."""

    state_before: SourceState = field(default_factory=SourceState)
    """What the last run left; empty at the first run and with `--full`."""

    state_after: SourceState = field(default_factory=SourceState)
    """What the agent changes of it: kept when the job is committed. What it does not set stays."""

    sent: Sent = field(default_factory=Sent)
    """The SQL that was sent: `sql` notes what it renders; who sends that inside of another
    statement notes it as well. It is shown where the job fails."""

    @property
    def scope(self) -> Scope:
        """What an agent reads that goes by `backfill` and the watermark."""
        if self.backfill is not None:
            return "backfill"
        return "full" if self.state_before.watermark is None else "incremental"

    @property
    def hash_key(self) -> bytes | None:
        """The secret for hashed columns, of warehouse.yaml."""
        key = self.warehouse.settings.hash_key
        return key.get_secret_value().encode() if key else None

    def sql(self, file: str, **values: Any) -> Statement:
        """A SQL file of the task as a statement, with the names that a template may use.

        Raises FaultyFile when it cannot be one.
        """
        action = self.action
        names = dict(action.variables) | {"task": action.task, "this": self.table}
        template = read_template(action.folder / file)
        text = template.render(names | {"watermark": None} | values)
        statement = settled(template.path, template.text, text)
        self.sent.render(file, statement)
        return statement

    @contextmanager
    def stoppable(self, stop: Callable[[], None]) -> Iterator[None]:
        """While the block runs, `stop` is called when the job is cancelled or times out."""
        take_back = self.job.stops.on_stop(stop)
        try:
            yield
        finally:
            take_back()


class Agent(ABC, Generic[Options]):
    """Performs one action."""

    name: ClassVar[str]
    options: ClassVar[type[ActionOptions]]

    @abstractmethod
    def run(self, context: Context, options: Options) -> LoadResult:
        """Does the action in the job's transaction. Raises JobError when it cannot be done."""

    def statements(self, context: Context, options: Options) -> dict[str, Statement]:
        """Its SQL files as a run would send them now, for `dapu render`.

        Raises FaultyFile for a template that fails.
        """
        if options.names:
            raise JobError(f"`do: {self.name}` fills its templates with what it finds when it runs")
        return {file: context.sql(file) for file in options.sql_files()}

    def preview(
        self,
        context: Context,  # noqa: ARG002
        options: Options,  # noqa: ARG002
    ) -> AbstractContextManager[Rows | None]:
        """Opens the source for a look at its columns and first rows, for `dapu preview`.

        Raises JobError where there is nothing of the kind.
        """
        raise JobError(f"`do: {self.name}` reads no rows that could be shown")


class SourceAgent(Agent[LoadingOptions]):
    """Brings rows from somewhere into the task's table."""

    def run(self, context: Context, options: LoadingOptions) -> LoadResult:
        """Reads, and loads what was read as the options say."""
        with self.read(context, options) as rows, context.session.cursor() as cursor:
            if rows is None:
                return LoadResult(0, ("the source is unchanged and was not read",), changed=False)
            steps, scope = context.action.has_steps, context.scope
            return load(
                cursor,
                context.table,
                rows,
                options,
                has_steps=steps,
                scope=scope,
                hash_key=context.hash_key,
            )

    @contextmanager
    def preview(self, context: Context, options: LoadingOptions) -> Iterator[Rows | None]:
        """See `Agent.preview`."""
        with self.read(context, options) as rows:
            yield rows

    @abstractmethod
    @contextmanager
    def read(self, context: Context, options: LoadingOptions) -> Iterator[Rows | None]:
        """Opens the source and gives its rows; closes the source at the end of the block.

        None says that the source is as the last run left it.
        """
