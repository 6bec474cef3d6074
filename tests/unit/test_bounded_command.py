"""A command of somebody else's has bounds."""

from __future__ import annotations

import sys

import pytest

from dapu.bounded_command import Finished, run_bounded


def test_it_is_given_its_input_and_says_how_it_ended() -> None:
    command = ["sh", "-c", "cat; echo no >&2; exit 3"]
    done = run_bounded(command, seconds=20, most=100, given=b"x" * 99)
    assert done == Finished(3, b"x" * 99, b"no\n", is_cut=False)


def test_it_may_leave_its_input_unread() -> None:
    done = run_bounded(["true"], seconds=20, most=100, given=b"x" * (1 << 20))
    assert (done.status, done.out) == (0, b"")


def test_the_end_of_a_long_output_is_kept() -> None:
    words = "print('x' * 5_000_000, end='end')"
    done = run_bounded([sys.executable, "-c", words], seconds=20, most=10)
    assert done == Finished(0, b"xxxxxxxend", b"", is_cut=True)


@pytest.mark.parametrize(
    "script",
    [
        "exec sleep 600",
        "sleep 5 & exit 0",  # what is left behind has the output open
        "exec >&- 2>&-; sleep 600",
        "exec yes",
    ],
)
def test_it_is_not_waited_for_longer_than_it_may_take(script: str) -> None:
    with pytest.raises(TimeoutError):
        run_bounded(["sh", "-c", script], seconds=0.2, most=100)
