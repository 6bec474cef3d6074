"""A task taken from its files, in a transaction that is never committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extensions import cursor as Cursor

from dapu.agents.base import Action, Agent, Context, RunningJob, SourceState
from dapu.agents.installed import Agents, known_agents
from dapu.definitions.folders import ROUTE_FILE, TaskFolder, scan
from dapu.definitions.models import ActionOptions, Route, Task
from dapu.definitions.reader import Definition
from dapu.errors import ConfigurationError, DapuError, JobError
from dapu.loading.options import LoadOptions
from dapu.loading.result import LoadResult
from dapu.named_sql import statement
from dapu.registry import watermarks
from dapu.registry.store import Registry
from dapu.registry.version import check_registry, exists, registry_of
from dapu.registry.watermarks import Watermark
from dapu.statement import TableName
from dapu.suggest import nearest
from dapu.warehouse.postgres_session import Session, given_path
from dapu.warehouse.warehouse import Warehouse
from dapu.warehouse.yamlfile import read_model
from dapu.worker.checks import Checking
from dapu.worker.state_before import Memory, state_before


class _NeverStops:
    """A command in the foreground ends with its process."""

    def check(self) -> None:
        """See `Stops`."""

    def on_stop(self, stop: Callable[[], None]) -> Callable[[], None]:  # noqa: ARG002
        """See `Stops`."""
        return lambda: None


def _say_nothing(message: str, data: dict[str, Any] | None = None) -> None:
    """See `Note`: there is no job whose events these could be."""


@dataclass
class Trial:
    """A task that is tried out.

    route: of the task. memory: what its earlier runs left in the registry.
    """

    warehouse: Warehouse
    registry: Registry
    agents: Agents
    session: Session
    definition: Definition
    route: Route
    memory: Memory
    exit_stack: ExitStack

    @property
    def task(self) -> Task:
        """As its files say."""
        return self.definition.task

    @property
    def table(self) -> TableName:
        """The task's table."""
        return TableName(self.definition.folder.schema, self.definition.folder.table)

    def agent(self, options: ActionOptions) -> Agent[Any]:
        """The agent of an action."""
        return self.agents[options.do]()

    def context(
        self,
        cursor: Cursor,
        position: int,
        options: ActionOptions,
        *,
        full: bool = False,
        folder: Path | None = None,
    ) -> Context:
        """What an agent works with, as in a job that would run now.

        position: of the action, from 1. full: as if it had never run.
        folder: of the action's files, where it is not the task's.
        """
        sources = self.task.sources(self.route.connection)
        source, state = sources[position - 1], SourceState()
        if not full:
            state = state_before(cursor, self.table, self.memory, sources, source, options)
        context = self._context(position, source)
        if folder is not None:
            context = replace(context, action=replace(context.action, folder=folder))
        return replace(context, full=full, state_before=state)

    def remember(self, context: Context) -> None:
        """Keeps what an action left, for the next run of the same trial."""
        source, left = context.action.source, context.state_after
        if left.watermark is not None:
            self.memory.watermarks[source] = left.watermark
        if left.entries:
            self.memory.source_state.setdefault(source, {}).update(left.entries)

    def run(self, cursor: Cursor, context: Context, options: ActionOptions) -> LoadResult:
        """Runs an action. Raises DapuError when it fails."""
        chosen = options.in_one_transaction() if isinstance(options, LoadOptions) else options
        try:
            with given_path(cursor):
                return self.agent(options).run(context, chosen)
        except psycopg2.errors.QueryCanceled:
            raise
        except psycopg2.Error as error:
            raise JobError(f"{options.do}: {str(error).strip()}") from error

    def check(self, cursor: Cursor) -> tuple[list[str], str | None]:
        """Runs the checks: what they warn of, and why the run would fail.

        What is looked at afterwards does not suffer from one that fails.
        """
        context, warnings = self.bare_context(), list[str]()

        def warn(message: str, _: dict[str, Any]) -> None:
            warnings.append(message)

        of_job = (cursor, self.registry, context.job.number, context.action.task)
        cursor.execute(statement("table.before_load"))
        try:
            Checking(*of_job, self.task, self.table, context.sql, warn).run()
        except DapuError as error:
            cursor.execute(statement("table.undo_load"))
            return warnings, str(error)
        return warnings, None

    def bare_context(self) -> Context:
        """The same for what belongs to no action: the checks."""
        return self._context(len(self.task.actions), "")

    def _context(self, position: int, source: str) -> Context:
        folder = self.definition.folder
        return Context(
            warehouse=self.warehouse,
            session=self.session,
            table=self.table,
            note=_say_nothing,
            action=Action(
                task=folder.id,
                position=position,
                folder=folder.path,
                connection=self.route.connection,
                source=source,
                variables=self.definition.variables,
            ),
            job=RunningJob(
                number=0,
                registry=self.registry,
                stops=_NeverStops(),
                keep=lambda: None,
                exit_stack=self.exit_stack,
            ),
        )


@contextmanager
def open_trial(
    warehouse: Warehouse, task: str, purpose: str, *, in_one_state: bool = False
) -> Iterator[Trial]:
    """Reads a task's files, and opens a transaction that is rolled back at the end of the block.

    purpose: shows in pg_stat_activity. in_one_state: to its end it sees the warehouse
    as it is now.
    Raises ConfigurationError for a task that does not exist, FaultyFile for a faulty one.
    """
    folder = find_folder(warehouse, task)
    route = read_model(Route, folder.path.parents[1] / ROUTE_FILE)
    agents = known_agents(warehouse.settings)
    definition = agents.reader(warehouse.settings).read(folder, route)
    if definition is None:
        raise ConfigurationError(f"{folder.file}: its status is not `active`; no run would take it")
    registry = registry_of(warehouse)
    with ExitStack() as stack:
        session = stack.enter_context(warehouse.session(purpose))
        stack.callback(session.rollback)
        if in_one_state:
            session.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ)
        with session.cursor() as cursor:
            memory = _memory(cursor, registry, folder.id)
        yield Trial(warehouse, registry, agents, session, definition, route, memory, stack)


def find_folder(warehouse: Warehouse, task: str) -> TaskFolder:
    """The folder of a task, or of the one whose table it is.

    Raises ConfigurationError when there is none, or more than one.
    """
    parts = task.split(".")
    if len(parts) == 3 and all(part and Path(part).name == part for part in parts):
        folder = TaskFolder(warehouse.folder.joinpath("routes", *parts), *parts)
        if folder.file.is_file():
            return folder
    known = scan(warehouse.folder).tasks
    named = [one for one in known if one.partition(".")[2] == task]
    if len(named) == 1:
        return known[named[0]]
    raise ConfigurationError(f"there is no task `{task}`{nearest(task, known)}")


def _memory(cursor: Cursor, registry: Registry, task: str) -> Memory:
    check_registry(cursor, registry, needed=False)
    if not exists(cursor, registry):
        return Memory({}, {})
    marks, state = registry.row(cursor, "trial.memory", task=task) or (None, None)
    known: dict[str, Watermark] = {
        of: watermarks.restore(*parts) for of, parts in (marks or {}).items()
    }
    return Memory(known, state or {})
