"""`do: views`: many views after one template."""

from __future__ import annotations

from dapu.agents.base import Agent, Context
from dapu.errors import JobError
from dapu.generate.views.planned import Choice
from dapu.generate.views.queued_views import Made, ViewsRun
from dapu.generate.views.view_options import ViewsOptions
from dapu.generate.views.views_action import ViewsAction
from dapu.loading.result import LoadResult

_MOST_NAMED = 5  # failed groups in the message; the event has all


class ViewsAgent(Agent[ViewsOptions]):
    """Makes views in sessions of its own, a transaction for each group."""

    name = "views"
    options = ViewsOptions

    def run(self, context: Context, options: ViewsOptions) -> LoadResult:
        """Makes what is new or changed. Raises JobError when a group failed."""
        action, registry = context.action, context.job.registry
        names = dict(action.variables) | {"task": action.task, "this": context.table}
        run = ViewsRun(
            ViewsAction(context.warehouse, registry, action.task, action.folder, names, options),
            Choice(),
        )
        with context.stoppable(run.stop):
            made = run.run()
        if made.failures:
            raise JobError(failure_message(made), {"failures": failed_groups(made)})
        notes = (f"{made.unchanged:,} groups unchanged", *made.notes)
        return LoadResult(made.views, notes, changed=made.views > 0, unit="view")


def failure_message(made: Made) -> str:
    """The first groups that failed, each with why."""
    first = [f"{one.key}: {one.message}" for one in made.failures[:_MOST_NAMED]]
    more = len(made.failures) - len(first)
    rest = [f"and {more:,} more"] if more else []
    groups = "1 group" if len(made.failures) == 1 else f"{len(made.failures):,} groups"
    return f"{groups} failed: " + "; ".join(first + rest)


def failed_groups(made: Made) -> list[dict[str, str | None]]:
    """All groups that failed, as data."""
    return [one._asdict() for one in made.failures]
