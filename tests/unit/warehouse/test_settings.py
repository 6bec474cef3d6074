"""warehouse.yaml: every key has a default, and every fault its line."""

from __future__ import annotations

from datetime import time, timedelta
from pathlib import Path

import pytest

from dapu.errors import ConfigurationError, FaultyFile
from dapu.warehouse.settings import DayPart, Settings, read_settings
from dapu.warehouse.warehouse import open_warehouse


def settings(folder: Path, text: str, **environment: str) -> Settings:
    (folder / "warehouse.yaml").write_text(text)
    return read_settings(folder, environment)


def fault(folder: Path, text: str) -> str:
    with pytest.raises(FaultyFile) as caught:
        settings(folder, text)
    return str(caught.value).removeprefix(f"{folder}/warehouse.yaml:")


def test_an_empty_file_is_a_warehouse(tmp_path: Path) -> None:
    found = settings(tmp_path, "")
    assert (found.timezone, found.registry.schema_name, found.registry.prefix) == (
        "UTC",
        "meta",
        "",
    )
    assert sorted(found.day_parts) == ["evening", "morning", "workhours"]
    assert (found.worker.minutes, found.worker.processes) == (27, 1)
    assert found.keep.events == timedelta(days=30)


def test_what_is_written_is_taken_and_the_rest_stays(tmp_path: Path) -> None:
    text = "registry: {prefix: d_}\nkeep:\n  events: 1 week\nworker: {minutes: '${M:-5}'}\n"
    found = settings(tmp_path, text)
    assert (found.registry.schema_name, found.registry.prefix) == ("meta", "d_")
    assert (found.keep.events, found.keep.agenda) == (timedelta(weeks=1), timedelta(days=60))
    assert found.worker.minutes == 5


@pytest.mark.parametrize(("text", "message"), [
    ("timezon: UTC", "1: unknown key `timezon`; did you mean `timezone`?"),
    ("keep:\n  events: 1 day\n  agneda: 1 day",
     "3: keep: unknown key `agneda`; did you mean `agenda`?"),
    ("timezone: Europe/Atlantis",
     "1: timezone: 'Europe/Atlantis' is not a time zone; write, for example, `Europe/Tallinn`"),
    ("registry: {schema: My Tables}",
     "1: registry.schema: 'My Tables' must be lower-case letters, digits and underscores"),
    ("worker:\n  processes: 0", "2: worker.processes: must be 1 or more, not 0"),
    ("worker: {minutes: long}", "1: worker.minutes: must be a number, not 'long'"),
    ("day_parts:\n  night: late",
     "2: day_parts.night: 'late' is not a part of a day; write, for example, `8-18` or `22:30-6`"),
    ("day_parts: {night: 22-24:30}",
     "1: day_parts.night: '22-24:30' is not a part of a day; write, for example, `8-18`"),
    ("keep: {events: ages}",
     "1: keep.events: 'ages' is not a length of time; write, for example, `4 hours`"),
    ("name: ${NAME}",
     "1: the environment has no NAME; set it, or write it into .env beside this file"),
    ("variables:\n  key: ${API_TOKEN:-x}",
     "2: variables.key: a secret cannot be a variable, which is stored and shown; "
     "give it to a connection in connections.yaml"),
    ("variables:\n  key: ${cmd:echo x}", "2: variables.key: a secret cannot be a variable"),
    ("name: 5", "1: name: must be text, not 5; put it in quotes"),
])  # fmt: skip
def test_a_fault_is_reported_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    assert fault(tmp_path, text).startswith(message)


@pytest.mark.parametrize(("text", "start", "end"), [
    ("8-18", time(8), time(18)),
    ("0-24", time(0), time(0)),
    ("22:30 - 6", time(22, 30), time(6)),
    ("18-24:00", time(18), time(0)),
])  # fmt: skip
def test_a_part_of_the_day_is_read(tmp_path: Path, text: str, start: time, end: time) -> None:
    found = settings(tmp_path, f"day_parts: {{part: '{text}'}}").day_parts
    assert found == {"part": DayPart(start=start, end=end)}


@pytest.mark.parametrize(("start", "end", "inside", "outside"), [
    (time(8), time(18), [time(8), time(17, 59, 59)], [time(7, 59), time(18)]),
    (time(22), time(6), [time(22), time(0), time(5, 59)], [time(6), time(21, 59)]),
    (time(18), time(0), [time(18), time(23, 59, 59)], [time(0), time(17)]),
    (time(0), time(0), [time(0), time(12), time(23, 59)], []),
])  # fmt: skip
def test_a_part_holds_its_start_and_not_its_end_over_midnight_too(
    start: time, end: time, inside: list[time], outside: list[time]
) -> None:
    part = DayPart(start=start, end=end)
    assert all(part.holds(at) for at in inside)
    assert not any(part.holds(at) for at in outside)


def test_a_folder_without_settings_is_not_a_warehouse(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_warehouse(tmp_path / "finances")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}/finances is not a warehouse directory")
    assert message.endswith("dapu init finances")
