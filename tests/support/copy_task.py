"""A task that copies from one connection to another, for the tests of `do: filecopy`."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

from tests.support.file_task import Share
from tests.support.one_task import OneTask


class CopyTask:
    """A task that copies, and two folders: one to copy from and one to copy to.

    source_keys, target_keys: of the two connections, where they are not these folders.
    """

    def __init__(self, task: OneTask, source: Path, target: Path) -> None:
        self.task, self.source, self.target = task, Share(source), Share(target)
        self.source_keys = f"driver: files\npath: {source}\n"
        self.target_keys = f"driver: files\npath: {target}\n"

    def has(self, options: str) -> None:
        """Writes the definitions. options: the action's keys beside `to`."""
        target = f"\n- name: target\n{indent(self.target_keys, '  ')}"
        self.task.has(self.source_keys, f"do: filecopy\nto: target\n{options}")
        connections = self.task.folder / "connections.yaml"
        connections.write_text(connections.read_text() + target)

    def copies(self, options: str) -> str:
        """Runs it, which must succeed, and returns how it went."""
        self.has(options)
        return self.task.run()

    def fails(self, options: str) -> str:
        """Runs it, which must fail, and returns what it says; nothing may have changed."""
        before = self.names(), self.names(self.source)
        self.has(options)
        said = self.task.fails()
        assert before == (self.names(), self.names(self.source))
        return said

    def names(self, share: Share | None = None) -> list[str]:
        """The files in the target, hidden ones too."""
        root = (share or self.target).path
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
