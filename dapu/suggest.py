"""What somebody may have meant who wrote a name that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

from dapu.errors import ConfigurationError

_MOST_LISTED = 20


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean …?` with the known word nearest to a wrong one, or all that are known."""
    names = sorted(set(known))
    match = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if not match:
        small = {name.casefold(): name for name in names}
        match = difflib.get_close_matches(word.casefold(), small, n=1, cutoff=0.6)
        match = [small[name] for name in match]
    if match:
        return f"; did you mean `{match[0]}`?"
    return f"; known are: {', '.join(names)}" if 0 < len(names) <= _MOST_LISTED else ""


def unknown_task(task: str, known: Collection[str]) -> ConfigurationError:
    """What to raise for a task that is not in the registry, though its files may be there."""
    return ConfigurationError(
        f"there is no task `{task}`{nearest(task, known)} (a new one is known "
        "once it is registered)"
    )
