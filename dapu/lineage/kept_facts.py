"""What was read of tasks, kept in the user's cache folder; it may be deleted at any time.

It imports little: the completion of words reads it, too.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any


class KeptFacts:
    """The file of one warehouse directory. mark: what it is good for; another makes it void."""

    def __init__(self, folder: Path, mark: str = "") -> None:
        self._mark = mark
        name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
        place = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        self._file = Path(place, "dapu", "lineage", f"{folder.name}-{name}.json")

    def read(self, hashes: Mapping[str, str]) -> dict[str, Any]:
        """What is kept of tasks that have not changed."""
        mark, tasks = self._load()
        if mark != self._mark:
            return {}
        return {task: facts for task, (of, facts) in tasks.items() if hashes.get(task) == of}

    def columns(self, task: str) -> list[str]:
        """The columns of a task's table, as far as they were known when it was last read."""
        _, tasks = self._load()
        _, entry = tasks.get(task) or (None, None)
        outputs = json.loads(entry[1])[5] if entry else []
        return [name for name, _ in outputs if name != "*"]

    def write(self, hashes: Mapping[str, str], tasks: Mapping[str, Any]) -> None:
        """Keeps them, where that can be done."""
        text = json.dumps([self._mark, {task: [hashes[task], one] for task, one in tasks.items()}])
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile("w", dir=self._file.parent, delete=False) as new:
                new.write(text)
            Path(new.name).replace(self._file)

    def _load(self) -> tuple[str, dict[str, Any]]:
        try:
            mark, tasks = json.loads(self._file.read_bytes())
        except (OSError, ValueError):
            return "", {}
        return mark, tasks
