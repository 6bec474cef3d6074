"""The files of a definition from Jinja2 templates: dapu's own, or those of a project.

A template is called as the file that it makes, with `.j2` at its end, and stands where that file
stands in the task's folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import SandboxedEnvironment
from sqlalchemy.dialects import postgresql

from dapu.errors import ConfigurationError, Fault, FaultyFile
from dapu.shipped import shipped_folder
from dapu.warehouse.yamlfile import as_yaml

_END = ".j2"
ADD_COLUMN = "ver/NNN_add_column.sql"
CREATE = "ver/001_create.sql"
_BEGINS_TEMPLATE = re.compile(r"\{(?=[{%#])")


class Templates:
    """The templates by the files that they make."""

    def __init__(self, folder: Path | None) -> None:
        """folder: of a project's own; what it has not is dapu's."""
        self._texts = _texts(shipped_folder("generated"))
        self._own = {}
        if folder is not None:
            if not folder.is_dir():
                raise ConfigurationError(f"there is no folder {folder} with templates")
            self._own = _texts(folder)
            if not self._own:
                raise ConfigurationError(f"{folder} has no templates: no file ends in {_END}")
        self._folder = folder
        self._compiled: dict[str, Template] = {}
        self._environment = SandboxedEnvironment(
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._environment.filters |= {
            "yaml": partial(as_yaml, on_one_line=True),
            "identifier": postgresql.dialect().identifier_preparer.quote,  # type: ignore[no-untyped-call]
            "literal": _as_literal,
            "raw": _as_raw,
        }

    def names(self) -> list[str]:
        """The files of a new task."""
        return sorted({*self._texts, *self._own} - {ADD_COLUMN})

    def render(self, name: str, values: Mapping[str, Any]) -> str:
        """The text of a file. Raises FaultyFile when a project's own template fails."""
        try:
            if name not in self._compiled:
                text = self._own.get(name, self._texts.get(name, ""))
                self._compiled[name] = self._environment.from_string(text)
            return self._compiled[name].render(values)
        except TemplateError as error:
            path = (self._folder or Path()) / f"{name}{_END}"
            line = getattr(error, "lineno", None) or 1
            raise FaultyFile([Fault(path, line, f"the template fails: {error}")]) from None


def _texts(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)).removesuffix(_END): path.read_text("utf-8")
        for path in folder.rglob(f"*{_END}")
    }


def _as_literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _as_raw(text: str) -> str:
    """A text in a SQL file that stays as it is, though it has what begins a template."""
    return _BEGINS_TEMPLATE.sub("{% raw %}{{% endraw %}", text)
