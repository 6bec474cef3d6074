"""Where the files are that ship with dapu, beside its modules.

They are `sql/`, the warehouse that `dapu init` copies, the templates of generated definitions, and
the SQL of converted ones.
In a checkout, also one that was installed with `pip install -e`, they stand where a reader of the
repository looks for them. Wheels have them inside the package (setup.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).parent
_IN_CHECKOUT = {
    "sql": "sql",
    "starter": "definitions/starter",
    "generated": "definitions/generated",
    "converted": "definitions/converted",
}


def shipped_folder(name: Literal["sql", "starter", "generated", "converted"]) -> Path:
    """The folder of this dapu that has this name inside a wheel."""
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parent / _IN_CHECKOUT[name]
