"""Documents with long lists, split into chunks while they are read.

A list that is not inside another list, and has more items than a chunk, leaves the document: its
items go into chunks that hold nothing but the document's id and a part of the list, at its place.
No library gives the text of a JSON value as it stands from a stream: ijson's fastest backend
gives Python values, at five times the cost, and writes `?` for half of a surrogate pair. So the
text is only cut here, and each piece is parsed as a whole to check it.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Any

import jiter

from dapu.errors import FaultyDocument
from dapu.sources.documents import exact_json

_CHUNK_BYTES = 8 << 20  # a chunk ends here, however few its items are
_IN_MEMORY = 1 << 20  # bytes of a document's parts that are kept out of files
_CHECKED = 1 << 20  # a longer value is left for the database to check
_BLOCK = 1 << 18
_LONGEST_ESCAPE = len(r"\u0000")
_DEEPEST = 100  # objects in objects
_LIMITS = ("number out of range", "recursion limit")  # of jiter, not of JSON
_KEPT = {"$TYPE", "DOCUMENT_ID", "$VERSION", "$AUTHOR_ID", "$DATE", "$DELETED"}

_Write = Callable[[bytes], object]

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SCALAR_END = re.compile(rb"[\s,\]}]")
_SPACE = re.compile(rb"[ \t\r\n]*")
# Strings and all that is neither a string nor a bracket. Possessive, so that no memory is used.
_FLAT = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)


@dataclass(frozen=True)
class _ListChunk:
    """Items of a list: where they stand in the file of items."""

    path: tuple[bytes, ...]
    start: int
    end: int


class SplitDocument:
    """One document, read from a stream of its text.

    fields: the values that identify the document, by key.
    Raises FaultyDocument when the text is not a JSON object.
    """

    def __init__(self, blocks: Iterator[bytes], chunk_size: int) -> None:
        self.fields: dict[str, Any] = {}
        self._scanner = _Scanner(blocks)
        self._chunk_size = chunk_size
        self._parts: list[_ListChunk] = []
        with ExitStack() as files:
            self._head = files.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY))
            self._items = files.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY))
            self._object(())
            self._scanner.end()
            self._files = files.pop_all()

    def close(self) -> None:
        """Lets the temporary files go."""
        self._files.close()

    def chunks(self) -> Iterator[Iterator[bytes]]:
        """The text of each chunk in pieces; the first is the document without its long lists."""
        yield _pieces(self._head, 0, self._head.tell())
        document = json.dumps(self.fields.get("DOCUMENT_ID")).encode()
        for part in self._parts:
            yield self._chunk(part, document)

    def _chunk(self, part: _ListChunk, document: bytes) -> Iterator[bytes]:
        yield b'{"DOCUMENT_ID":' + document + b"," + b":{".join(part.path) + b":["
        yield from _pieces(self._items, part.start, part.end)
        yield b"]" + b"}" * len(part.path)

    def _object(self, path: tuple[bytes, ...]) -> None:
        if len(path) > _DEEPEST:
            raise FaultyDocument(f"objects stand in more than {_DEEPEST} others")
        scanner, head = self._scanner, self._head
        scanner.take(b"{")
        head.write(b"{")
        separator = b""
        keys: set[str] = set()
        while scanner.peek() != b"}" or keys:
            key = scanner.string()
            name = parse(key)
            if name in keys:
                raise FaultyDocument(f"the key {name!r} occurs twice")
            keys.add(name)
            scanner.take(b":")
            if self._value((*path, key), name, separator + key + b":"):
                separator = b","
            if scanner.peek() != b",":
                break
            scanner.take(b",")
        scanner.take(b"}")
        head.write(b"}")

    def _value(self, path: tuple[bytes, ...], name: str, before: bytes) -> bool:
        """Reads a value; returns whether it stays in the document."""
        kind = self._scanner.peek()
        if kind == b"[":
            return self._list(path, before)
        self._head.write(before)
        if kind == b"{":
            self._object(path)
        elif len(path) == 1 and name in _KEPT:
            pieces: list[bytes] = []
            self._scanner.value(pieces.append)
            self.fields[name] = parse(b"".join(pieces))
            self._head.writelines(pieces)
        else:
            self._scanner.value(self._head.write)
        return True

    def _list(self, path: tuple[bytes, ...], before: bytes) -> bool:
        scanner, items = self._scanner, self._items
        first, begin, count, parts = items.tell(), items.tell(), 0, len(self._parts)
        scanner.take(b"[")
        while scanner.peek() != b"]" or count:
            if count == self._chunk_size or items.tell() - begin > _CHUNK_BYTES:
                self._parts.append(_ListChunk(path, begin, items.tell()))
                begin, count = items.tell(), 0
            if count:
                items.write(b",")
            scanner.value(items.write)
            count += 1
            if scanner.peek() != b",":
                break
            scanner.take(b",")
        scanner.take(b"]")
        if len(self._parts) > parts:
            self._parts.append(_ListChunk(path, begin, items.tell()))
            return False
        self._head.write(before + b"[")
        for piece in _pieces(items, first, items.tell()):
            self._head.write(piece)
        self._head.write(b"]")
        items.seek(first)
        items.truncate()
        return True


class _Scanner:
    """Cuts JSON text into values, block by block."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._data, self._at = b"", 0

    def peek(self) -> bytes:
        """The next byte that is not a space; empty at the end."""
        while True:
            byte = self._data[self._at : self._at + 1]
            if byte > b" ":
                return byte
            match = _SPACE.match(self._data, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._data) or not self._more():
                return self._data[self._at : self._at + 1]

    def take(self, expected: bytes) -> None:
        """Passes a byte that must come next."""
        found = self.peek()
        if found != expected:
            raise FaultyDocument(f"there is {_shown(found)} where `{expected.decode()}` must be")
        self._at += 1

    def end(self) -> None:
        """Nothing may follow."""
        if self.peek():
            raise FaultyDocument("something follows the document on its line")

    def string(self) -> bytes:
        """The text of a string, with its quotes."""
        if self.peek() != b'"':
            self.take(b'"')
        while True:
            match = _STRING.match(self._data, self._at)
            if match:
                self._at = match.end()
                return match[0]
            if not self._more():
                raise FaultyDocument("a string does not end")

    def value(self, write: _Write) -> None:
        """Writes the text of a value as it stands."""
        kind = self.peek()
        if kind in (b"{", b"["):
            self._nested(write)
            return
        if kind in (b"", b",", b":", b"]", b"}"):
            raise FaultyDocument(f"there is {_shown(kind)} where a value must be")
        text = self.string() if kind == b'"' else self._scalar()
        parse(text)
        write(text)

    def _scalar(self) -> bytes:
        while True:
            match = _SCALAR_END.search(self._data, self._at)
            if match or not self._more():
                end = match.start() if match else len(self._data)
                text, self._at = self._data[self._at : end], end
                return text

    def _nested(self, write: _Write) -> None:
        """An object or a list, to its end. One that is very long is written as it comes."""
        depth, whole = 0, True
        looked = self._at  # up to here the depth is known
        while True:
            match = _FLAT.match(self._data, looked)
            looked = match.end() if match else looked
            bracket = self._data[looked : looked + 1]
            if bracket in (b"{", b"["):
                depth += 1
                looked += 1
            elif bracket in (b"}", b"]"):
                depth -= 1
                looked += 1
                if not depth:
                    self._pass(write, looked, whole)
                    return
            else:  # the end of the block, or a string that goes on in the next
                if looked - self._at > _CHECKED:
                    whole = False
                    self._pass(write, looked, whole)
                looked -= self._at
                if not self._more():
                    raise FaultyDocument("an object or a list does not end")

    def _pass(self, write: _Write, end: int, whole: bool) -> None:
        text = self._data[self._at : end]
        if whole:
            parse(text)
        write(text)
        self._at = end

    def _more(self) -> bool:
        """Drops what was passed and reads on; False at the end."""
        block = next(self._blocks, None)
        if block is None:
            return False
        self._data = self._data[self._at :] + block
        self._at = 0
        return True


def _shown(byte: bytes) -> str:
    return f"`{byte.decode('latin-1')}`" if byte else "the end"


def parse(text: bytes) -> Any:
    """A JSON value; its keys may be there once only. Raises FaultyDocument."""
    try:
        return jiter.from_json(
            text, allow_inf_nan=False, cache_mode="none", catch_duplicate_keys=True
        )
    except ValueError as error:
        if not str(error).startswith(_LIMITS):
            raise FaultyDocument(str(error)) from None
    return exact_json.parse(text, "utf-8")


def _pieces(file: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    """The text from start to end. No piece ends within an escape, or the next would misread it."""
    position = start
    while position < end:
        file.seek(position)
        piece = file.read(min(_BLOCK, end - position))
        if position + len(piece) < end:
            piece = _whole_escapes(piece)
        position += len(piece)
        yield piece
    file.seek(end)


def _whole_escapes(piece: bytes) -> bytes:
    backslash = piece.rfind(b"\\", 1 - _LONGEST_ESCAPE)
    return piece[: backslash + 1].rstrip(b"\\") or piece
