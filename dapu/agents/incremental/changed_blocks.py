"""Reads the blocks of a source's rows that are not as they were."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg2 import extensions
from psycopg2.extensions import cursor as Cursor

from dapu.agents.base import Context
from dapu.errors import JobError
from dapu.loading.load import load
from dapu.loading.options import LoadOptions
from dapu.loading.result import LoadResult
from dapu.loading.table.relation import is_empty
from dapu.registry import blocks
from dapu.rows.rows import Column
from dapu.sources.databases.blocks.hashes import Block, BlockSource, changed_ranges, current_blocks
from dapu.sources.databases.blocks.key import BlockKey, Range, order_of
from dapu.sources.databases.source import Source
from dapu.sources.databases.subquery import no_rows, only, where
from dapu.statement import Statement

_READ_AS = "how the blocks are read"


@dataclass(frozen=True)
class ChangedBlocks:
    """A query in blocks of its key.

    dialect: the source's name as SQLAlchemy has it. column_types: see `Source.read`.
    refused_values: see `plan`.
    """

    context: Context
    options: LoadOptions
    source: Source
    dialect: str
    query: Statement
    column_types: Mapping[str, str] | None
    refused_values: Mapping[str, JobError]

    def run(self, cursor: Cursor) -> LoadResult:
        """The hashes are asked for first: what changes while rows are read is read next time."""
        context = self.context
        # It is by the source's own types that it hashes values, whatever they become in the table.
        columns = self.source.read(no_rows(self.query), None).columns
        key = self._key(columns)
        read_as = self._read_as(columns, key)
        before = self._before(cursor, read_as)
        asked = BlockSource(self.source, self.query, key, columns)
        now = current_blocks(asked, [block.low for block in before[1:]])
        ranges = changed_ranges(before, now)
        stored = [(block.low, block.rows, block.hash) for block in now]
        blocks.store(
            cursor,
            context.job.registry,
            context.action.task,
            context.action.position,
            key.name,
            stored,
            context.job.number,
        )
        if context.state_before.entries.get(_READ_AS) != read_as:
            context.state_after.entries[_READ_AS] = read_as
        if before and not ranges:
            note = f"none of {len(now)} blocks changed"
            return LoadResult(0, (note,), changed=False)
        return self._load(cursor, ranges if before else [], len(now), key)

    def _key(self, columns: Sequence[Column]) -> BlockKey:
        name = (self.options.key or [""])[0]
        table = None if self.column_types is None else self.column_types.get(name)
        order = order_of(self._type(name, columns), table, self.dialect)
        # A text that loses characters on its way has another place in the table.
        if order == "texts" and self.options.nul_characters != "fail":
            order = "none"
        return BlockKey(name, self.dialect, order)

    def _type(self, name: str, columns: Sequence[Column]) -> str:
        """The type of a column's values."""
        if not self.source.typed_by_values:
            # MariaDB says of a table's own column alone that it is a uuid.
            columns = self.source.read(self.query, None).columns
        elif self.column_types is None:
            query = only(self.query, f"dapu_query.{self.source.quote(name)}")
            columns = self.source.read(query, None).columns
        return next((column.type for column in columns if column.name == name), "")

    def _load(
        self, cursor: Cursor, ranges: Sequence[Range], count: int, key: BlockKey
    ) -> LoadResult:
        query, key_range = self.query, None
        if ranges:
            query = where(
                query, key.within_any(ranges, f"dapu_query.{self.source.quote(key.name)}")
            )
            quoted = extensions.quote_ident(key.name, cursor)
            key_range = key.in_table().within_any(ranges, quoted).composed()
        rows = self.source.read(query, self.column_types)
        self.context.note(f"reads changed blocks ({self.source.description})")
        result = load(
            cursor,
            self.context.table,
            rows,
            self.options,
            has_steps=self.context.action.has_steps,
            key_range=key_range,
            refused_values=self.refused_values,
        )
        return result.also((f"{len(ranges)} ranges of {count} blocks read",)) if ranges else result

    def _read_as(self, columns: Sequence[Column], key: BlockKey) -> str:
        """What the same values become in the table: a hash of a block says nothing of that."""
        described = [[column.name, column.type] for column in columns]
        facts = [self.options.model_dump(mode="json"), described]
        text = json.dumps(facts if key.order == "own" else [*facts, key.order])
        return hashlib.sha256(text.encode()).hexdigest()

    def _before(self, cursor: Cursor, read_as: str) -> list[Block]:
        """The blocks as the table has them; none when they were read otherwise, or it was emptied.

        read_as: see `_read_as`.
        """
        context = self.context
        if context.state_before.entries.get(_READ_AS) != read_as or self.column_types is None:
            return []
        found = blocks.stored(
            cursor, context.job.registry, context.action.task, context.action.position
        )
        if any(block.rows for block in found) and is_empty(cursor, context.table):
            return []
        return [Block(*block) for block in found]
