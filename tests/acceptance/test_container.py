"""The Dockerfile and compose.yaml name files and commands that exist, and ask for no rights.

No container is built here.
"""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from dapu.cli.main import cli

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
LINES = [line.split(maxsplit=1) for line in DOCKERFILE.splitlines() if line[:1].isupper()]
SERVICES = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def instructions(name: str) -> list[str]:
    """What stands behind each instruction of that name."""
    return [rest for word, rest in LINES if word == name]


def copied() -> list[str]:
    """What is copied from the repository."""
    return [
        path for rest in instructions("COPY") if "--from" not in rest for path in rest.split()[:-1]
    ]


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    assert all((ROOT / path).exists() for path in copied())
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}
    assert kept == set(copied())


def test_all_that_setup_py_packs_is_copied() -> None:
    packed = re.findall(r'": "(\w+)[/"]', (ROOT / "setup.py").read_text())
    assert packed
    assert set(packed) <= set(copied())


def test_the_extras_exist() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    [named] = re.findall(r'"\.\[([\w,]+)\]"', DOCKERFILE)
    assert set(named.split(",")) <= set(setup["options.extras_require"])


def test_nothing_runs_as_root() -> None:
    assert instructions("USER") == ["10001"]
    for service in SERVICES.values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert "/tmp" in service["tmpfs"]


@pytest.mark.parametrize("service", SERVICES)
def test_its_commands_exist(service: str) -> None:
    command = SERVICES[service]["command"]
    lines = [command] if "entrypoint" not in SERVICES[service] else [
        shlex.split(line)[1:] for line in command[0].splitlines()]  # fmt: skip
    assert lines
    for first, *rest in lines:
        found = cli.get_command(click.Context(cli), first)
        assert found is not None
        names = getattr(found, "commands", None)
        assert names is None or rest[0] in names
