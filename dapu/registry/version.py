"""Whether the registry exists, and of which version."""

from __future__ import annotations

from psycopg2.extensions import cursor as Cursor

from dapu.errors import ConfigurationError
from dapu.named_sql import registry_scripts, statement
from dapu.registry import migrations
from dapu.registry.store import Registry
from dapu.warehouse.warehouse import Warehouse

REGISTRY, WAREHOUSE = "registry", "warehouse"


def registry_of(warehouse: Warehouse) -> Registry:
    """The registry that warehouse.yaml names."""
    place = warehouse.settings.registry
    return Registry(place.schema_name, place.prefix)


def check_registry(cursor: Cursor, registry: Registry, *, needed: bool = True) -> None:
    """Raises ConfigurationError unless the registry exists and is of this dapu's version.

    needed: False where it may be missing.
    """
    if not exists(cursor, registry):
        if not needed:
            return
        raise ConfigurationError(
            f"there is no registry in schema `{registry.schema}` of the warehouse's database; "
            "run `dapu versioner` on this warehouse first"
        )
    known = max(script.number for script in registry_scripts())
    newest = max(migrations.applied(cursor, registry, REGISTRY), default=0)
    if newest > known:
        raise ConfigurationError(
            f"the registry is at version {newest}, and this dapu knows {known}: "
            "a newer dapu was here; install it on this machine too"
        )
    if newest < known:
        raise ConfigurationError(
            f"the registry is at version {newest}, and this dapu needs {known}; "
            "run `dapu versioner` on this warehouse"
        )


def exists(cursor: Cursor, registry: Registry) -> bool:
    """Whether the registry has been made."""
    name = registry.table("migration").as_string(cursor)
    cursor.execute(statement("server.relation_exists"), {"name": name})
    row = cursor.fetchone()
    return bool(row and row[0])
