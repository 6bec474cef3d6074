"""The answers of dapu's own commands, as JSON."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from dapu.errors import DapuError

_WITHIN = 120.0  # seconds
_MOST = 1_000_000  # characters of an answer


async def answer(folder: Path, command: str, arguments: Sequence[str], *options: str) -> str:
    """What `dapu COMMAND --json` prints.

    folder: the warehouse directory. arguments: whatever they begin with, they are no options.
    Raises DapuError with what the command says when it fails, or has not ended in two minutes.
    """
    words = [command, "--json", *options, "--", str(folder), *arguments]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dapu", *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, said = await asyncio.wait_for(process.communicate(), _WITHIN)
    except TimeoutError:
        raise DapuError(f"`dapu {command}` has not ended in {_WITHIN:.0f} seconds") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if not out.strip():
        raise DapuError(said.decode(errors="replace").strip() or f"`dapu {command}` says nothing")
    if len(out) > _MOST:
        raise DapuError(f"the answer has {len(out):,} characters: ask for less")
    return out.decode().strip()
