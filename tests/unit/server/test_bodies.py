"""Bodies that do not come to their end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import Request

from dapu.server import bodies


def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_PATIENCE", 0.01)

    async def receive() -> Any:
        await asyncio.Event().wait()

    with pytest.raises(bodies.Refused) as refused:
        asyncio.run(bodies.read_body(Request({"type": "http", "method": "POST"}, receive)))
    assert refused.value.status == 408
