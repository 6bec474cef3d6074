"""What an agent is, and what a job gives it.

An agent is a class with a `name` (what stands after `do:`), a model of its `options`, and `run`.
Most agents bring rows from somewhere: they are `SourceAgent`s, which only read; the loader does
the rest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from psycopg2.extensions import connection as PgSession

from dapu.definitions.models import ActionOptions
from dapu.definitions.placeholders import settled
from dapu.definitions.templates import read_template
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
    """Where an agent leaves word of how its running work is stopped from another thread."""

    def on_stop(self, stop: Callable[[], None]) -> Callable[[], None]:
        """`stop` is called when the job is to end at once; returns what takes it back."""
        ...


class Note(Protocol):
    """Tells an event of the running action."""

    def __call__(self, message: str, data: dict[str, Any] | None = None) -> None:
        """message: what happened, for a person. data: details."""
        ...


@dataclass
class Context:
    """What an agent works with: one action of one job.

    session: the warehouse's database, in the job's transaction; an agent never commits.
    position: which action of the task it is, from 1.
    source: what it reads, in a line; what it remembers is kept for that.
    registry, job: for an agent that remembers more than a watermark, in the job's transaction.
    span: the values `from` and `to` of the watermark's column, where an operator has a range read
    once more; the watermark is not moved then.
    exit_stack: context managers that are entered here end when all actions and checks are done,
    right before the commit; what is raised through them says that the job failed.
    low: the watermark as the last run left it; None at the first run and with `--full`.
    high: what the agent read up to; the job stores it when the action is done.
    full: everything is to be read, changed or not; `low` and `seen` are empty then.
    seen: parts of the source (files, pages) that earlier runs remembered, and how they were.
    remembered: what the agent puts here is in `seen` from the next run on.
    """

    warehouse: Warehouse
    session: PgSession
    folder: Path
    table: TableName
    task: str
    connection: str
    position: int
    source: str
    variables: Mapping[str, Any]
    registry: Registry
    job: int
    stops: Stops
    note: Note
    exit_stack: ExitStack
    full: bool = False
    span: Mapping[str, str | None] | None = None
    low: Watermark | None = None
    high: Watermark | None = None
    seen: Mapping[str, Any] = field(default_factory=dict)
    remembered: dict[str, Any] = field(default_factory=dict)

    @property
    def has_steps(self) -> bool:
        """Whether the task's table has steps of its own in ver/."""
        return (self.folder / "ver").is_dir()

    @property
    def scope(self) -> Scope:
        """What an agent reads that goes by `span` and `low`."""
        if self.span is not None:
            return "backfill"
        return "full" if self.low is None else "incremental"

    def sql(self, file: str, **values: Any) -> Statement:
        """A SQL file of the task as a statement, with the names that a template may use.

        Raises FaultyFile when it cannot be one.
        """
        names = dict(self.variables) | {"task": self.task, "this": self.table, "watermark": None}
        template = read_template(self.folder / file)
        return settled(template.path, template.text, template.render(names | values))

    @contextmanager
    def stoppable(self, stop: Callable[[], None]) -> Iterator[None]:
        """While the block runs, `stop` is called when the job is cancelled or times out."""
        take_back = self.stops.on_stop(stop)
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


class SourceAgent(Agent[LoadingOptions]):
    """Brings rows from somewhere into the task's table."""

    def run(self, context: Context, options: LoadingOptions) -> LoadResult:
        """Reads, and loads what was read as the options say."""
        with self.read(context, options) as rows, context.session.cursor() as cursor:
            if rows is None:
                return LoadResult(0, ("the source is unchanged and was not read",), changed=False)
            steps, scope = context.has_steps, context.scope
            return load(cursor, context.table, rows, options, has_steps=steps, scope=scope)

    @abstractmethod
    @contextmanager
    def read(self, context: Context, options: LoadingOptions) -> Iterator[Rows | None]:
        """Opens the source and gives its rows; closes the source at the end of the block.

        None says that the source is as the last run left it.
        """
