"""The hash of a definition, for who need not read it: without templates and agents."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from dapu.definitions.folders import TaskFolder, fingerprint
from dapu.definitions.models import Route
from dapu.warehouse.settings import Settings


def definition_hash(settings: Settings, folder: TaskFolder, route: Route) -> str:
    """The hash of the folder's files, a colon, and the hash of what the task inherits."""
    inherited = json.dumps(_inherited(settings, route), sort_keys=True, default=str)
    return f"{fingerprint(folder.path)}:{hashlib.sha256(inherited.encode()).hexdigest()}"


def _inherited(settings: Settings, route: Route) -> dict[str, Any]:
    return {
        "defaults": [settings.defaults, route.defaults],
        "variables": [settings.variables, route.variables],
        "connection": route.connection,
        "timezone": settings.timezone,
    }
