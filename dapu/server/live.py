"""A page that is sent again as it changes, as server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from dapu.errors import DapuError

_TICK = 2.0  # seconds between looks for what is new, and until a browser asks again
_LONGEST = 600.0  # seconds of a stream; the browser then asks anew


async def stream(request: Request, name: str, look: Callable[[], str]) -> AsyncIterator[str]:
    """Events of that name, each with the HTML that `look` gives, whenever it is another.

    Ends when nobody listens, when the server is to end, or when the warehouse cannot be read: the
    browser then asks again.
    """
    until, shown = time.monotonic() + _LONGEST, ""
    yield f"retry: {1000 * _TICK:.0f}\n\n"
    while time.monotonic() < until and not request.app.state.is_over():
        if await request.is_disconnected():
            return
        try:
            html = await run_in_threadpool(look)
        except DapuError:
            return
        if html != shown:
            shown = html
            lines = "".join(f"data: {line}\n" for line in html.splitlines())
            yield f"event: {name}\n{lines}\n"
        await asyncio.sleep(_TICK)
