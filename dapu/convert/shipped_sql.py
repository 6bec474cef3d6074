"""The SQL of converted definitions, in `definitions/converted`."""

from __future__ import annotations

import re

from dapu.shipped import shipped_folder

_MARK = re.compile(r"\{(\w+)\}")


def shipped_sql(name: str, **texts: str) -> str:
    """A file with texts of the old project for its `{marks}`."""
    text = (shipped_folder("converted") / f"{name}.sql").read_text("utf-8")
    return _MARK.sub(lambda match: texts[match[1]], text)
