"""grants.yaml: which groups may read what, and who belongs to them."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from dapu.definitions.checks import Columns
from dapu.errors import ConfigurationError, Fault, FaultyFile
from dapu.rows.masked_columns import Mask
from dapu.statement import LONGEST_NAME
from dapu.warehouse.yamlfile import Document, Strict, read_document, validate

FILE = "grants.yaml"
_PATTERN = "*?["


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Texts = Annotated[list[str], BeforeValidator(_as_list, json_schema_input_type=str | list[str])]


class Readable(Strict):
    """What a group may read."""

    schema_name: str = Field(
        alias="schema", min_length=1, description="A schema, or a pattern of schemas: `mart*`"
    )
    tables: Texts = Field(
        ["*"], min_length=1, description="Tables and views, by names and patterns; default all"
    )
    exclude: Texts = Field([], description="Names and patterns of those that are not meant")
    columns: Columns | None = Field(
        None, description="Only these columns, as for tables with personal data; default all"
    )

    mask: dict[str, Mask] = Field(
        {},
        description="Columns that are masked: `hide`, `first 2`, `last 4` (characters), or `year` "
        "(of a date). Then the group reads a view of the table, in `<schema>_for_<group>`",
    )

    @property
    def is_whole(self) -> bool:
        """Whether it is each table of one schema, those to come too."""
        is_all = not self.mask and self.columns is None and not self.exclude and "*" in self.tables
        return is_all and not is_pattern(self.schema_name)

    def means(self, schema: str, table: str) -> bool:
        """Whether it means a table."""
        return (
            fnmatchcase(schema, self.schema_name)
            and any(fnmatchcase(table, one) for one in self.tables)
            and not any(fnmatchcase(table, one) for one in self.exclude)
        )


class Group(Strict):
    """A role without login. Its name is the key, in the whole cluster."""

    description: str | None = Field(None, description="Who they are, for people")
    reads: list[Readable] = Field([], description="What its members may read")
    members: Texts = Field([], description="Roles that belong to it: logins, or other groups")

    @model_validator(mode="after")
    def _says_each_once(self) -> Group:
        for name in self.members:
            if self.members.count(name) > 1:
                raise ValueError(f"names the member {name} twice")
        return self


class Grants(Strict):
    """grants.yaml."""

    groups: dict[str, Group] = Field({}, description="The groups by their names")


def is_pattern(text: str) -> bool:
    """Whether a text may mean several names."""
    return any(character in text for character in _PATTERN)


def read_grants(folder: Path) -> tuple[Grants, Document]:
    """Reads grants.yaml of a warehouse directory.

    Raises ConfigurationError when there is none, FaultyFile with every fault of it.
    """
    path = folder / FILE
    if not path.is_file():
        raise ConfigurationError(
            f"{folder} has no {FILE}, which says who may read what; see docs/grants.md"
        )
    document = read_document(path)
    grants = validate(Grants, document.parse(), [document])
    faults = list(_name_faults(grants, document))
    if faults:
        raise FaultyFile(faults)
    return grants, document


def grant_faults(folder: Path) -> list[Fault]:
    """What is wrong with grants.yaml, if there is one."""
    try:
        if (folder / FILE).is_file():
            read_grants(folder)
    except FaultyFile as error:
        return error.faults
    return []


def _name_faults(grants: Grants, document: Document) -> Iterator[Fault]:
    for name in grants.groups:
        if len(name.encode()) > LONGEST_NAME:
            message = f"the name of a role has at most {LONGEST_NAME} bytes"
        elif name.startswith("pg_") or name in ("public", "none", ""):
            message = f"`{name}` cannot be a role: PostgreSQL keeps that name for itself"
        else:
            continue
        yield document.fault(message, "groups", name)
