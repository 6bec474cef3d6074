"""A task's SQL as a run would send it now."""

from __future__ import annotations

from dataclasses import dataclass

from dapu.errors import DapuError
from dapu.secrets import redact
from dapu.trial.open_trial import open_trial
from dapu.trial.render import RenderedFile, render
from dapu.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class RenderedPage:
    """The SQL files. fault: why they cannot be rendered, if so."""

    task: str
    files: list[RenderedFile]
    fault: str


def rendered_page(warehouse: Warehouse, task: str) -> RenderedPage:
    """Renders them, as `dapu render` does; a source with a watermark is asked for its end."""
    try:
        with open_trial(warehouse, task, "render") as trial:
            return RenderedPage(task, list(render(trial)), "")
    except DapuError as error:
        return RenderedPage(task, [], redact(str(error)))
