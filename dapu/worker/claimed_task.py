"""The task of a job as it was registered, while its files are still so."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from dapu.agents.installed import Agents
from dapu.definitions.folders import fingerprint
from dapu.definitions.models import Task, task_model
from dapu.definitions.reader import DefinitionReader
from dapu.errors import JobError, TaskChanged, TaskVanished
from dapu.registry.agenda import Claim
from dapu.registry.requests import is_request


def check_files(folder: Path, claim: Claim) -> None:
    """Raises TaskVanished, or TaskChanged when they are not as they were registered."""
    if is_request(claim.hash):
        return
    try:
        now = fingerprint(folder)
    except (FileNotFoundError, NotADirectoryError):
        raise TaskVanished(f"the folder {folder} no longer exists") from None
    if now != claim.hash.partition(":")[0]:
        raise TaskChanged(
            f"the files in {folder} changed since they were registered; the registrar takes them up"
        )


def restore(claim: Claim, agents: Agents, reader: DefinitionReader) -> Task:
    """Raises JobError when this machine's dapu and agents are not those that registered it."""
    definition = claim.definition
    if is_request(claim.hash):
        return task_model((agents["connector"].options,)).model_validate(definition)
    for name in {action["do"] for action in definition["actions"]} - set(agents):
        raise JobError(
            f"there is no agent `{name}` on this machine any more: install the package that "
            f"brings it, or name its class under `agents:` in warehouse.yaml"
        )
    try:
        return reader.restore(definition)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise JobError(
            f"what was registered does not fit the agents of this machine ({place}: "
            f"{first['msg']}): fix task.yaml, or install here what it was registered with"
        ) from error
