"""The documentation says what is so: its examples are read and run, its links lead somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.agents.installed import known_agents
from dapu.definitions.case_file import CaseFile
from dapu.definitions.folders import TaskFolder
from dapu.definitions.grants import read_grants
from dapu.definitions.models import Route
from dapu.definitions.templates import read_template
from dapu.warehouse.connections import read_connections
from dapu.warehouse.settings import Settings, read_settings
from dapu.warehouse.yamlfile import read_model
from scripts.generated_docs import ROOT, agent_page, agents, commands, pages
from tests.conftest import MakeWarehouse
from tests.support.command import dapu
from tests.support.components import rows, versioner

_FENCE = re.compile(r"^```(\w+)(?: ([^\n]*))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_COMMAND = re.compile(r"(?:^|[\s`(])dapu ((?:[a-z-]+ ?)+)")


class Example(NamedTuple):
    """A block of code of a page. name: what stands behind the language."""

    page: Path
    line: int
    language: str
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def examples(page: Path) -> Iterator[Example]:
    text = page.read_text("utf-8")
    for match in _FENCE.finditer(text):
        line = 1 + text[: match.start()].count("\n")
        yield Example(page, line, match[1], match[2] or "", match[3])


EXAMPLE_AGENT = ROOT / "docs" / "example-agent"
ALL = [example for page in pages() for example in examples(page)]


def of_language(language: str) -> list[Example]:
    return [example for example in ALL if example.language == language]


def test_generated_parts_are_what_the_code_says() -> None:
    command = [sys.executable, "-m", "scripts.generated_docs", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = _FENCE.sub("", page.read_text("utf-8"))
    for link in _LINK.findall(text):
        if "://" in link:
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page}: {link} leads nowhere"
        if heading:
            assert heading in headings(target), f"{page}: there is no heading for {link}"


def headings(page: Path) -> set[str]:
    """The headings of a page as GitHub writes them in links."""
    text = _FENCE.sub("", page.read_text("utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in _HEADING.findall(text)
    }


def test_each_command_is_documented() -> None:
    reference, readme = (ROOT / name for name in ("docs/cli.md", "README.md"))
    for command in commands():
        assert f"## {command.command_path}\n" in reference.read_text("utf-8")
        assert f"`{command.command_path}" in readme.read_text("utf-8")


def test_each_agent_is_documented() -> None:
    assert [name for name in agents() if not agent_page(name).exists()] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_name_commands_that_exist(page: Path) -> None:
    known = {context.command_path.partition(" ")[2] for context in commands(groups=True)}
    shown = [one.text for one in examples(page) if one.language in ("sh", "crontab")]
    inline = re.findall(r"`(dapu [^`]+)`", page.read_text("utf-8"))
    for text in [*shown, *inline]:
        for words in _COMMAND.findall(text):
            assert any(words.strip().startswith(name) for name in known if name), f"dapu {words}"


@pytest.mark.parametrize("example", of_language("yaml"), ids=str)
def test_yaml_examples_are_right(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file says which it is; lines without a beginning are an action of the page's agent."""
    name, text = example.name, example.text
    if not name and text.startswith("# "):
        name = text[2:].partition("\n")[0]
    if not name and text.startswith(" "):
        name, text = "task.yaml", f"actions:\n  - do: {example.page.stem}\n{text}"
    file = "tests/*.yaml" if "/tests/" in name else name.rpartition("/")[2]
    check = {
        "warehouse.yaml": check_settings,
        "connections.yaml": check_connections,
        "route.yaml": check_route,
        "task.yaml": check_task,
        "grants.yaml": check_grants,
        "tests/*.yaml": check_case,
    }
    known = ", ".join(check)
    assert file in check, f"{example}: write behind ```yaml which file it is: {known}"
    monkeypatch.syspath_prepend(str(EXAMPLE_AGENT))
    check[file](text, tmp_path)


def check_case(text: str, folder: Path) -> None:
    (folder / "case.yaml").write_text(text)
    read_model(CaseFile, folder / "case.yaml")


def check_settings(text: str, folder: Path) -> None:
    (folder / "warehouse.yaml").write_text(text)
    read_settings(folder, named_in(text))


def check_grants(text: str, folder: Path) -> None:
    (folder / "grants.yaml").write_text(text)
    read_grants(folder)


def check_connections(text: str, folder: Path) -> None:
    main = "" if "name: main" in text else "- {name: main, driver: embedded}\n"
    (folder / "connections.yaml").write_text(main + text)
    read_connections(folder, named_in(text))


def named_in(text: str) -> dict[str, str]:
    """An environment in which every name that a file wants is there."""
    return {name: f"value of {name}" for name in re.findall(r"\$\{(\w+)\}", text)}


def check_route(text: str, folder: Path) -> None:
    (folder / "route.yaml").write_text(text)
    read_model(Route, folder / "route.yaml")


def check_task(text: str, folder: Path) -> None:
    """The SQL files and steps that the example names are there, with any content."""
    task = TaskFolder(folder / "routes/r/s/t", "r", "s", "t")
    steps = re.search(r"keeps_data: \[([\d, ]+)\]", text)
    numbers = [int(number) for number in steps[1].split(",")] if steps else []
    names = [*re.findall(r"[\w/-]+\.sql", text), *(f"ver/{n:03}_step.sql" for n in numbers)]
    for name in names:
        (task.path / name).parent.mkdir(parents=True, exist_ok=True)
        (task.path / name).write_text("select 1")
    task.path.mkdir(parents=True, exist_ok=True)
    task.file.write_text(text)
    (task.path.parents[1] / "route.yaml").touch()
    (folder / "warehouse.yaml").touch()
    settings = Settings(agents=["dapu_calendar:CalendarAgent"])
    assert known_agents(settings).reader(settings).read(task, Route()) is not None


@pytest.mark.parametrize("example", of_language("sql"), ids=str)
def test_sql_examples_are_templates(example: Example, tmp_path: Path) -> None:
    (tmp_path / "example.sql").write_text(example.text)
    read_template(tmp_path / "example.sql")


def test_sql_for_operators_runs(make_warehouse: MakeWarehouse, connection: PgSession) -> None:
    versioner(make_warehouse())
    for example in examples(ROOT / "docs" / "operating.md"):
        if example.language == "sql" and "create role" not in example.text:
            rows(connection, example.text)


@pytest.mark.slow
def test_getting_started_does_what_it_says(empty: Path) -> None:
    """Each block of the page in its order: files are written, commands are run."""
    output = ""
    with kept_running(empty / "finances/.dapu/postgres"):
        for example in examples(ROOT / "docs" / "getting-started.md"):
            if "/" in example.name:
                path = empty / example.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(example.text)
            elif example.language == "sh":
                output = shell(example, empty)
            elif example.language == "text" and " ──" in example.text:
                assert same(example.text) in same(output), f"{example}: it was\n{output}"


@contextmanager
def kept_running(server: Path) -> Iterator[None]:
    """The embedded PostgreSQL does not stop and start again between two commands of the block."""
    code = """
import pathlib, sys, time
path = pathlib.Path(sys.argv[1])
while not (path / "postmaster.pid").exists():
    time.sleep(0.05)
from dapu.warehouse import embedded
embedded.start(path, "postgres")
sys.stdin.read()
"""
    user = subprocess.Popen([sys.executable, "-c", code, server], stdin=subprocess.PIPE)
    try:
        yield
    finally:
        try:
            user.communicate(timeout=20)
        except subprocess.TimeoutExpired:  # there never was a server to join
            user.kill()


def shell(example: Example, folder: Path) -> str:
    """Runs a block; one that is to fail says so: ```sh exits 1."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-eu"],
        input=example.text,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,  # five commands, on a machine that may be busy
    )
    expected = int(example.name.removeprefix("exits ") or 0)
    assert done.returncode == expected, f"{example}: {done.stdout}{done.stderr}"
    return done.stdout


def same(text: str) -> str:
    """Without what differs between a page and a terminal: spaces at the ends, lengths of lines."""
    return "\n".join(
        re.sub(" {2,}", "  ", re.sub("─+", "─", one.strip())) for one in text.split("\n")
    )


def test_example_agent_is_found_when_installed(
    make_warehouse: MakeWarehouse, tmp_path: Path
) -> None:
    source = shutil.copytree(EXAMPLE_AGENT, tmp_path / "source")
    assert sum(len(file.read_text().splitlines()) for file in source.iterdir()) < 60
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    target = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", *offline]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True)
    page = ROOT / "docs" / "writing-an-agent.md"
    task = next(one.text for one in examples(page) if one.name.endswith("calendar/task.yaml"))
    folder = make_warehouse(
        {
            "routes/example/route.yaml": "",
            "routes/example/staging/calendar/task.yaml": task,
        }
    )
    environment = {"PYTHONPATH": f"{target}:{ROOT}"}
    assert dapu("versioner", folder).status == 0
    run = dapu("run", folder, "example.staging.calendar", environment=environment)
    assert run.status == 0, run.text
    count = dapu("query", folder, "select count(*), min(weekday) from staging.calendar", "--json")
    assert '"count": 366' in count.out
    without = dapu("validate", folder)
    assert without.status == 1
    assert "calendar" in without.err
