"""A child process with limits: what it answers, and what is said of its end."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dapu.errors import JobError
from dapu.limited_process import LimitedProcess, ProcessDied

_MEMORY = 1 << 30


def act(what: str, *arguments: Any) -> Any:
    """What the child does."""
    match what:
        case "say":
            return os.getpid(), *arguments
        case "fail":
            raise JobError("no such sheet", {"row": 3})
        case "take":
            return len(bytearray(arguments[0]))
        case "sleep":
            time.sleep(60)
        case "die":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "raise":
            raise KeyError("a mistake")
    return None


@pytest.fixture
def process() -> Iterator[LimitedProcess]:
    with LimitedProcess(f"{__name__}:act", _MEMORY) as process:
        yield process


def test_one_child_answers_all_requests(process: LimitedProcess) -> None:
    first, second = process.ask("say", "a", 1), process.ask("say", None)
    assert first[1:] == ("a", 1)
    assert first[0] == second[0] != os.getpid()


def test_an_error_for_a_person_is_raised_as_it_was(process: LimitedProcess) -> None:
    with pytest.raises(JobError, match="no such sheet") as caught:
        process.ask("fail")
    assert caught.value.data == {"row": 3}
    assert process.ask("say")


@pytest.mark.parametrize(
    ("request_", "cause", "words"),
    [
        (("take", 2 << 30), "memory", "1 GiB"),
        (("die",), "crash", "SIGSEGV"),
        (("raise",), "crash", "exit status 1"),
    ],
)
def test_its_end_has_a_cause_and_the_next_request_a_new_child(
    process: LimitedProcess, request_: tuple[Any, ...], cause: str, words: str
) -> None:
    with pytest.raises(ProcessDied, match=words) as caught:
        process.ask(*request_)
    assert caught.value.cause == cause
    assert process.ask("say", 1)[1] == 1


def test_an_answer_has_a_deadline() -> None:
    with LimitedProcess(f"{__name__}:act", _MEMORY, seconds=0.2) as process:
        with pytest.raises(ProcessDied) as caught:
            process.ask("sleep")
        assert caught.value.cause == "time"


def test_who_stops_it_ends_the_request_in_hand_and_all_others(process: LimitedProcess) -> None:
    process.ask("say")
    threading.Timer(0.2, process.stop).start()
    with pytest.raises(JobError, match="stopped"):
        process.ask("sleep")
    with pytest.raises(JobError, match="stopped"):
        process.ask("say")
