"""dapu's tasks as tasks of Airflow 3, for a DAG file of two lines.

    from dapu.airflow import DapuDag
    dag = DapuDag("/srv/finances")

Airflow is needed only by what stands in `dag`, `operator` and `trigger`; so their names are
imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dapu.airflow.dag import DapuDag, table_asset
    from dapu.airflow.operator import DapuOperator

__all__ = ["DapuDag", "DapuOperator", "table_asset"]
_MODULES = {
    "DapuDag": "dapu.airflow.dag",
    "DapuOperator": "dapu.airflow.operator",
    "table_asset": "dapu.airflow.dag",
}


def __getattr__(name: str) -> Any:
    """A name of the public face, from its module (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"dapu.airflow has no `{name}`")
    return getattr(import_module(_MODULES[name]), name)
