"""The answers of dapu's own commands, as JSON."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from dapu.errors import DapuError

_WITHIN = 120.0  # seconds
_PATIENCE = 5.0  # seconds for a command to end in order
_MOST = 1_000_000  # bytes of an answer


async def answer(folder: Path, command: str, arguments: Sequence[str], *options: str) -> str:
    """What `dapu COMMAND --json` prints.

    folder: the warehouse directory. arguments: whatever they begin with, they are no options.
    Raises DapuError with what the command says when it fails, or has not ended in two minutes.
    """
    words = [command, "--json", *options, "--", str(folder), *arguments]
    process = await _started(words)
    try:
        out, said = await asyncio.wait_for(_said(process), _WITHIN)
    except TimeoutError:
        raise DapuError(f"`dapu {command}` has not ended in {_WITHIN:.0f} seconds") from None
    finally:
        await _end(process)
    if len(out) > _MOST:
        raise DapuError(f"the answer has more than {_MOST:,} bytes: ask for less")
    if not out.strip():
        raise DapuError(said.decode(errors="replace").strip() or f"`dapu {command}` says nothing")
    return out.decode().strip()


async def _started(words: Sequence[str]) -> Process:
    try:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dapu", *words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except (OSError, ValueError) as error:  # too long for a command line, or a byte that is zero
        raise DapuError(f"that cannot be asked: {error}") from None


async def _said(process: Process) -> tuple[bytes, bytes]:
    """Its standard output and error; of the first no more than is needed to see that it is long."""
    assert process.stdout is not None
    assert process.stderr is not None
    faults = asyncio.create_task(process.stderr.read())
    out = bytearray()
    while len(out) <= _MOST and (part := await process.stdout.read(1 << 16)):
        out += part
    if len(out) > _MOST:
        faults.cancel()
        return bytes(out), b""
    return bytes(out), await faults


async def _end(process: Process) -> None:
    """Ends it as Ctrl-C does, so that its query ends on the server too; else at once."""
    for number in (signal.SIGINT, signal.SIGKILL):
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(number)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _PATIENCE)
