"""task.yaml and route.yaml as typed models."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import combinations
from typing import Annotated, Any, ClassVar, Literal, Union

from cronsim import CronSim, CronSimError
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializeAsAny,
    WithJsonSchema,
    create_model,
    field_validator,
    model_validator,
)

from dapu.definitions.checks import Check
from dapu.warehouse.duration_field import Duration
from dapu.warehouse.yamlfile import Strict


def _readable_cron(expression: str) -> str:
    try:
        CronSim(expression, datetime(2024, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(
            f"{expression!r} is not a cron expression ({error}); write, for example, `15 6 * * 1-5`"
        ) from None
    return expression


AUTO = ["auto"]
"""What `depends: auto` is until it is known what the SQL reads."""

Masters = Annotated[
    list[str],
    BeforeValidator(lambda given: AUTO if given == "auto" else given),
    WithJsonSchema({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"const": "auto"}]}),
]


class Run(Strict):
    """When a task runs, how urgently, and how often it is tried."""

    pause: Duration | None = Field(
        None,
        description="The least time between the end of one run and the next; default 23 hours, "
        "or none where `cron` is given or what it depends on wakes it",
    )
    when: list[str] | str = Field([], description="Parts of the day, from warehouse.yaml")
    cron: Annotated[str, AfterValidator(_readable_cron)] | None = Field(
        None, description="Cron expression in the warehouse's time zone, instead of `when`"
    )
    priority: int = Field(5, ge=1, le=100, description="1 is the most urgent")
    retries: int = Field(3, ge=0, le=20, description="Tries after the first; then the job failed")
    retry_wait: Duration = Field(timedelta(minutes=1), description="Doubles with each try")
    timeout: Duration = Field(timedelta(hours=2), description="Then the job is stopped; `0`: never")

    late_after: Duration = Field(
        timedelta(hours=1),
        description="It is late when it has been due, or waited for a worker, for longer",
    )

    @model_validator(mode="after")
    def _one_clock(self) -> Run:
        if self.when and self.cron:
            raise ValueError("give either `when` or `cron`, not both")
        return self

    @property
    def day_parts(self) -> list[str]:
        """`when` as a list."""
        return [self.when] if isinstance(self.when, str) else self.when


class Expect(Strict):
    """What is expected of a table, whatever the reason why it is otherwise."""

    fresh_within: Duration | None = Field(
        None, description="It is late when its last good run ended longer ago"
    )


class ActionOptions(Strict):
    """One step of a task; each agent has its own options beside `do`.

    reads: the options that say what is read of a connection.
    names: what its templates know beside the variables and what all templates know.
    loads: whether it brings rows into the task's table.
    """

    reads: ClassVar[tuple[str, ...]] = ("query",)
    names: ClassVar[frozenset[str]] = frozenset()
    loads: ClassVar[bool] = False

    do: str = Field(description="Name of the agent")

    def sql_files(self) -> list[str]:
        """The SQL files in the task's folder that the action names."""
        return []

    def scripts(self) -> list[str]:
        """Those of them that may hold several statements, run in the warehouse."""
        return []

    def texts(self) -> list[str]:
        """Those of its values that are templates, as the names of files may be."""
        return []

    @property
    def outside_transaction(self) -> bool:
        """Whether it runs outside of the job's transaction, when that has been committed."""
        return False

    @property
    def is_undone(self) -> bool:
        """Whether all that it does is undone with its transaction, so that it can be tried out."""
        return False

    @property
    def runs_when(self) -> Literal["changed", "unchanged"] | None:
        """How the actions before it must have left the table; None: it always runs."""
        return None

    def clash(self, earlier: ActionOptions) -> str | None:  # noqa: ARG002 - for those that load
        """Why it cannot come after another action of the task, or None."""
        return None

    def source(self, connection: str) -> str:
        """What the action reads: what it remembers of that holds for nothing else.

        connection: the route's.
        """
        what = [self.do, *(getattr(self, name, None) for name in self.reads)]
        if "connection" in type(self).model_fields:
            what.append(f"from {self.connections['connection'] or connection}")
        return " ".join(str(part) for part in what if part)

    @property
    def connections(self) -> dict[str, str | None]:
        """The connections that the action names, by the option that does."""
        return {"connection": getattr(self, "connection", None)}


class Upgrade(Strict):
    """What the steps in ver/ do to the data."""

    keeps_data: list[int] = Field(
        [], description="Steps after which the rows are still right; others reset the watermark"
    )


class Task(Strict):
    """task.yaml, with the defaults of its route and its warehouse filled in."""

    description: str | None = Field(None, description="What the table holds, for people")
    status: Literal["active", "draft", "old"] = Field(
        "active", description="Only an active task is registered and run"
    )
    depends: Masters = Field(
        [],
        description="Ids (route.schema.table) of the tasks whose tables this one reads; `auto`: "
        "those that its SQL reads",
    )
    tags: list[str] = Field([], description="Names for several tasks together: `tag:NAME`")
    run: Run = Field(
        default_factory=Run, description="When it runs, how urgently, and how often it is tried"
    )
    expect: Expect = Field(
        default_factory=Expect, description="When the table is late, whatever the reason"
    )
    actions: list[SerializeAsAny[ActionOptions]] = Field(
        min_length=1, description="What it does, in this order and in one transaction"
    )
    checks: list[Check] = Field([], description="What must hold before anything is committed")
    upgrade: Upgrade = Field(
        default_factory=Upgrade, description="What the steps in ver/ do to the data"
    )
    variables: dict[str, Any] = Field({}, description="Names for the SQL templates")

    @field_validator("actions")
    @classmethod
    def _go_together(cls, actions: list[ActionOptions]) -> list[ActionOptions]:
        for (first, earlier), (second, later) in combinations(enumerate(actions, start=1), 2):
            why = later.clash(earlier)
            if why is not None:
                raise ValueError(f"{first} and {second} cannot fill one table: {why}")
        for position, action in enumerate(actions):
            _check_place(position, action, actions[:position])
        return actions

    @property
    def on_masters(self) -> bool:
        """Whether it runs when what it depends on has run, and at no time of its own."""
        return bool(self.depends) and not self.run.when and not self.run.cron

    @property
    def least_pause(self) -> timedelta:
        """`run.pause`, or the default that fits."""
        if self.run.pause is not None:
            return self.run.pause
        return timedelta(0) if self.run.cron or self.on_masters else timedelta(hours=23)

    def sources(self, connection: str) -> list[str]:
        """What each action reads; those that read the same are numbered.

        connection: the route's.
        """
        found = [action.source(connection) for action in self.actions]
        earlier = [found[:position].count(source) for position, source in enumerate(found)]
        return [
            f"{source} ({before + 1})" if before else source
            for source, before in zip(found, earlier, strict=True)
        ]

    def template_names(self) -> frozenset[str]:
        """What its templates know beside the variables and what all templates know."""
        return frozenset().union(*(action.names for action in self.actions))

    def sql_files(self) -> list[str]:
        """Every SQL file that the task names, checks included."""
        of_actions = [file for action in self.actions for file in action.sql_files()]
        return of_actions + self._check_files()

    def scripts(self) -> list[str]:
        """Every SQL file in which a statement could end the job's transaction."""
        return [file for action in self.actions for file in action.scripts()] + self._check_files()

    def _check_files(self) -> list[str]:
        return [check.sql for check in self.checks if check.sql]


def _check_place(position: int, action: ActionOptions, earlier: Sequence[ActionOptions]) -> None:
    """Raises ValueError for an action that cannot stand behind those before it."""
    if not action.outside_transaction and any(one.outside_transaction for one in earlier):
        raise ValueError(
            f"number {position + 1} stands after an action with `transaction: none`, which runs "
            "when all others have been committed: put that one last"
        )
    if action.runs_when is not None and not any(one.loads for one in earlier):
        raise ValueError(
            f"number {position + 1} has `when: {action.runs_when}`, and no action before it loads "
            "the table"
        )


class Route(Strict):
    """route.yaml."""

    name: str | None = Field(None, description="What the source is, for people")
    connection: str = Field("main", description="Where its tasks read: a name in connections.yaml")
    concurrency: int | None = Field(
        None, ge=1, description="How many jobs may run on it at once; default no limit"
    )
    disabled: list[Literal["registrar", "manager", "worker"]] = Field(
        [], description="Components that leave this route's tasks alone"
    )
    defaults: dict[str, Any] = Field(
        {}, description="Keys of task.yaml, for the tasks of this route; over the warehouse's"
    )
    variables: dict[str, Any] = Field({}, description="Names for the SQL files of its tasks")


@cache
def task_model(actions: tuple[type[ActionOptions], ...]) -> type[Task]:
    """The model of task.yaml in which `actions` takes the options of the installed agents."""
    if len(actions) == 1:
        one: Any = actions[0]
    else:
        one = Annotated[Union[actions], Field(discriminator="do")]  # noqa: UP007
    several = Annotated[list[one], Field(min_length=1)]
    field = Field(description=Task.model_fields["actions"].description)
    return create_model("Task", __base__=Task, __doc__=Task.__doc__, actions=(several, field))
