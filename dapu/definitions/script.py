"""SQL files of several statements: where each begins, and which of them dapu cannot let be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg2

from dapu.errors import Fault
from dapu.statement import PASSED_OVER

_WORDS = r"(commit|rollback|begin|end|abort|savepoint|(?:start|prepare)\s+transaction)\b"
_ENDS_TRANSACTION = re.compile(rf"\s*{_WORDS}", re.IGNORECASE)
_WORTH_A_LOOK = re.compile(rf"(?:^|;|\*/|\}})\s*{_WORDS}", re.IGNORECASE | re.MULTILINE)
# What may hide a semicolon that ends no statement: brackets, and a function's body in standard
# SQL, in which `case` has an `end` too.
_TOKEN = re.compile(r"[;()]|\bbegin\s+atomic\b|\bcase\b|\bend\b", re.IGNORECASE)


class ScriptStatement(NamedTuple):
    """One statement of a script, and the line (from 1) of the script on which it begins."""

    line: int
    text: str


def split(script: str) -> list[ScriptStatement]:
    """The statements of a script, without their semicolons."""
    parts, line, counted = [], 1, 0
    for start, end, bare in _pieces(script):
        begin = start + len(bare) - len(bare.lstrip())
        if begin < end:
            line += script.count("\n", counted, begin)
            parts.append(ScriptStatement(line, script[begin:end]))
            counted = begin
    return parts


def fault_in_statement(path: Path, part: ScriptStatement, error: psycopg2.Error) -> Fault:
    """What the server says of a statement of a script, with the line of the script."""
    diag = error.diag
    place = diag.statement_position
    line = part.line + (part.text[: int(place) - 1].count("\n") if place else 0)
    reason = (diag.message_primary or str(error)).strip()
    for more in (diag.message_detail, diag.message_hint):
        reason += f"; {more}" if more else ""
    if diag.context and not place:  # inside a function or a DO block
        reason += f" ({diag.context.splitlines()[0]})"
    return Fault(path, line, reason)


def transaction_faults(path: Path, script: str) -> list[Fault]:
    """A fault for each statement that would end the transaction that dapu runs the script in."""
    if not _WORTH_A_LOOK.search(script):
        return []
    faults = []
    for start, _, bare in _pieces(script):
        match = _ENDS_TRANSACTION.match(bare)
        if match:
            line = 1 + script.count("\n", 0, start + match.start(1))
            message = f"`{match[1].lower()}` is not for this file: dapu runs and commits it whole"
            faults.append(Fault(path, line, message))
    return faults


def _pieces(script: str) -> Iterator[tuple[int, int, str]]:
    """Start, end, and text (texts and comments blanked out) of what semicolons separate."""
    bare = PASSED_OVER.sub(lambda match: " " * len(match[0]), script)
    start = brackets = bodies = 0
    for token in _TOKEN.finditer(bare):
        word = token[0].lower()
        if word == "(":
            brackets += 1
        elif word == ")":
            brackets = max(brackets - 1, 0)
        elif word == "end":
            bodies = max(bodies - 1, 0)
        elif word.startswith("begin") or (word == "case" and bodies):
            bodies += 1
        elif word == ";" and not brackets and not bodies:
            yield start, token.start(), bare[start : token.start()]
            start = token.end()
    yield start, len(bare), bare[start:]
