"""The files that pages name: a stylesheet and scripts, with a hash of their content in the name.

So a browser may keep each for ever, and has the new one as soon as it changes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HASH = 10  # characters of it in a name


@dataclass(frozen=True)
class Asset:
    """A file as it is served. name: with the hash."""

    name: str
    content: bytes
    media_type: str


@cache
def assets() -> dict[str, Asset]:
    """All of them, by their names in the folder."""
    return {path.name: _asset(path) for path in sorted(_FOLDER.iterdir()) if path.suffix in _TYPES}


@cache
def assets_by_hashed_name() -> dict[str, Asset]:
    """All of them, by the names under which they are asked for."""
    return {asset.name: asset for asset in assets().values()}


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:_HASH]
    return Asset(f"{path.stem}.{digest}{path.suffix}", content, _TYPES[path.suffix])
