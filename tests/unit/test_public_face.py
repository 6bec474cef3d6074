"""What an author of an agent imports: these names stay, and `import dapu` costs nothing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dapu

_ROOT = Path(__file__).parents[2]
_NAMES = {
    "Action",
    "ActionOptions",
    "Agent",
    "ArrowRows",
    "Column",
    "Context",
    "CopyRows",
    "JobError",
    "LoadOptions",
    "LoadResult",
    "QueryRows",
    "RowOrigin",
    "Rows",
    "RunningJob",
    "SourceAgent",
    "SourceState",
    "Statement",
    "TableName",
    "Watermark",
    "__version__",
}


def test_the_names_are_those_and_each_is_there() -> None:
    assert set(dapu.__all__) == _NAMES
    assert all(getattr(dapu, name) for name in _NAMES)


def test_a_name_comes_from_the_module_that_type_checkers_see() -> None:
    tree = ast.parse(Path(dapu.__file__).read_text("utf-8"))
    (checked,) = (node for node in tree.body if isinstance(node, ast.If))
    for node in checked.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            assert getattr(dapu, alias.name).__module__ == node.module


def test_another_name_is_not_there() -> None:
    with pytest.raises(AttributeError, match="NoSuchName"):
        dapu.NoSuchName  # noqa: B018


def test_nothing_is_imported_before_it_is_used() -> None:
    code = "import dapu, sys; print(*(name for name in sys.modules if name.startswith('dapu.')))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["dapu.version"]


def test_a_command_imports_what_it_needs_when_it_runs() -> None:
    code = "import dapu.cli, sys; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"logging.handlers", "pydantic", "psycopg2", "pyarrow", "sqlalchemy", "yaml"}
    assert heavy.isdisjoint(said.stdout.split())


def test_the_example_agent_uses_nothing_else() -> None:
    text = (_ROOT / "docs/example-agent/dapu_calendar.py").read_text("utf-8")
    assert re.findall(r"^(?:from|import) (dapu[\w.]*)", text, re.MULTILINE) == ["dapu"]


def test_the_page_names_each() -> None:
    page = (_ROOT / "docs/writing-an-agent.md").read_text("utf-8")
    assert {name for name in _NAMES if name not in page} == {"__version__"}
