"""How a message leaves: through an apprise URL, or a command."""

from __future__ import annotations

import json
import logging
import re
import warnings
from collections.abc import Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

from dapu.bounded_command import run_bounded
from dapu.errors import ConfigurationError, DapuError
from dapu.registry.notices import Notice
from dapu.secrets import HIDDEN, redact
from dapu.warehouse.settings import Recipient

if TYPE_CHECKING:
    import apprise

PATIENCE = 60  # seconds for a command
_KEPT = 1 << 16  # bytes of what it prints
_SHOWN = 10  # notices of a message
_LONGEST = 300  # characters of what one says
_SEPARATORS = re.compile(r"[/:@?&=+,;]+")


def title_of(warehouse: str, notices: Sequence[Notice]) -> str:
    """`finances: 12 failed, 1 recovered`."""
    kinds = [notice.kind for notice in notices]
    return f"{warehouse}: " + ", ".join(
        f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)
    )


def text_of(notices: Sequence[Notice], number: int, *, again: bool) -> str:
    """The message: a line for each of the first notices.

    again: a sender was killed while it was on its way.
    """
    lines = [
        f"{one.task} {one.kind}"
        + (f" (job {one.job})" if one.job is not None else "")
        + f": {redact(one.message)[:_LONGEST]}"
        for one in notices[:_SHOWN]
    ]
    if len(notices) > _SHOWN:
        lines.append(f"… and {len(notices) - _SHOWN:,} more; see `dapu status`")
    if again:
        lines.append("This may have arrived before: whoever sent it was stopped on the way.")
    return "\n".join([*lines, f"(dapu message {number})"])


def send(to: Recipient, title: str, text: str, data: dict[str, Any]) -> None:
    """Sends a message. data: for a command, as JSON on its standard input.

    Raises DapuError without secrets when it was not taken.
    """
    if to.command:
        _run(to, data | {"title": title, "text": text})
    else:
        _call(to, title, text)


def _run(to: Recipient, data: dict[str, Any]) -> None:
    message = json.dumps(data, default=str, ensure_ascii=False).encode()
    try:
        done = run_bounded(to.command or [], seconds=PATIENCE, most=_KEPT, given=message)
    except TimeoutError:
        raise DapuError(f"{to.name}: its command took longer than {PATIENCE} seconds") from None
    except OSError as error:
        raise DapuError(f"{to.name}: its command cannot be run: {error.strerror}") from None
    if done.status:
        text = (done.error.strip() or done.out.strip()).decode(errors="replace")
        said = text.rpartition("\n")[2]
        why = f": {redact(said)[:_LONGEST]}" if said else ""
        raise DapuError(f"{to.name}: its command ended with status {done.status}{why}")


def _call(to: Recipient, title: str, text: str) -> None:
    url = to.url.get_secret_value() if to.url else ""
    heard = StringIO()
    handler = logging.StreamHandler(heard)
    logger = logging.getLogger("apprise")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        taken = _service(to, url).notify(body=text, title=title, body_format="text")
    finally:
        logger.removeHandler(handler)
    if not taken:
        why = _without_parts(" ".join(heard.getvalue().split()), url)[:_LONGEST]
        reason = f": {why}" if why else ""
        raise DapuError(f"{to.name}: its url did not take the message{reason}")


def _service(to: Recipient, url: str) -> apprise.Apprise:
    """What sends to a URL. Raises ConfigurationError when nothing does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of modules that apprise imports
        try:
            import apprise
        except ImportError:
            fault = f"notify: {to.name}: a url needs `pip install 'dapu[notify]'`"
            raise ConfigurationError(fault) from None
        service = apprise.Apprise()
        if not service.add(url):
            raise ConfigurationError(f"notify: {to.name}: its url is none that apprise knows")
    return service


def _without_parts(text: str, url: str) -> str:
    """What a service said, without any part of its URL: each of them may be a token."""
    parts = [part for part in _SEPARATORS.split(url.partition("://")[2]) if len(part) > 2]
    for part in sorted([url, *parts], key=len, reverse=True):
        text = text.replace(part, HIDDEN)
    return redact(text)
