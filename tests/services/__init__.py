"""The servers that tests talk to, each started for the tests alone."""

import os
from typing import NoReturn

import pytest


def unavailable(why: str) -> NoReturn:
    """Leaves a test out because a server is missing; with CI=true that is a failure."""
    if os.environ.get("CI") in {"true", "1"}:
        pytest.fail(f"with CI=true no test may be left out: {why}", pytrace=False)
    pytest.skip(why)
