"""JMESPath (https://jmespath.org) over exact numbers.

The library knows ints and floats. Here a number may be a Decimal too: it is compared and sorted
as what it is, and arithmetic that would have to round fails instead.
"""

from __future__ import annotations

import decimal
from decimal import Decimal
from typing import Any

import jmespath
from jmespath import functions
from jmespath.exceptions import JMESPathError

from dapu.errors import FaultyPath
from dapu.sources.documents.exact_json import dump

_ARITHMETIC = decimal.Context(
    prec=200,
    traps=[decimal.Inexact, decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)


class Path:
    """A compiled expression. Raises FaultyPath when it is not one."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self._compiled = jmespath.compile(text)
        except JMESPathError as error:
            raise FaultyPath(
                f"{text!r} is not a JMESPath expression: {_first_line(error)}"
            ) from None
        _make_exact(self._compiled.parsed)
        self._keys = _plain_keys(self._compiled.parsed)
        self.compares = self._compiled.parsed["type"] == "comparator"  # gives true or false
        self._key = self._keys[0] if self._keys and len(self._keys) == 1 else None

    def of(self, value: Any) -> Any:
        """What the expression gives for a value; None where it finds nothing."""
        if self._key is not None:  # the usual case, without the way through the library
            return value.get(self._key) if isinstance(value, dict) else None
        try:
            with decimal.localcontext(_ARITHMETIC):
                return self._compiled.search(value, _OPTIONS)
        except decimal.DecimalException:
            raise FaultyPath(f"{self.text!r} would round a number; do that in SQL") from None
        except (JMESPathError, ArithmeticError) as error:
            raise FaultyPath(f"{self.text!r} fails: {_first_line(error)}") from None

    @property
    def is_plain(self) -> bool:
        """Whether it is nothing but keys with dots between."""
        return self._keys is not None

    def is_in(self, value: Any) -> bool:
        """Whether a value has the keys of a plain path, be it that null is there.

        Of another path only whether it finds something.
        """
        if self._keys is None:
            return self.of(value) is not None
        for key in self._keys:
            if value is None:
                return True  # the sender has the place for it, and nothing there
            if not isinstance(value, dict) or key not in value:
                return False
            value = value[key]
        return True


def _plain_keys(tree: dict[str, Any]) -> list[str] | None:
    if tree["type"] == "field":
        return [str(tree["value"])]
    if tree["type"] != "subexpression":
        return None
    keys = [_plain_keys(child) for child in tree["children"]]
    return None if None in keys else [key for part in keys for key in part or ()]


def _make_exact(tree: dict[str, Any]) -> None:
    """The literals of an expression as Decimals, so that they equal the numbers of documents."""
    if tree["type"] == "literal":
        tree["value"] = _exact(tree["value"])
    for child in tree["children"]:
        if isinstance(child, dict):
            _make_exact(child)


def _exact(value: Any) -> Any:
    match value:
        case float():
            return Decimal(repr(value))
        case list():
            return [_exact(item) for item in value]
        case dict():
            return {key: _exact(item) for key, item in value.items()}
    return value


class _Functions(functions.Functions):  # type: ignore[misc]
    """The library's functions, for which a Decimal is a number."""

    def _get_allowed_pytypes(self, types: Any) -> tuple[list[str], list[tuple[str, ...]]]:
        allowed, inside = super()._get_allowed_pytypes(types)
        return _with_decimal(tuple(allowed)), [tuple(_with_decimal(names)) for names in inside]

    def _convert_to_jmespath_type(self, name: str) -> str:
        known = "number" if name == "Decimal" else super()._convert_to_jmespath_type(name)
        return str(known)

    @functions.signature({"types": []})  # type: ignore[untyped-decorator]
    def _func_type(self, value: Any) -> Any:
        return "number" if isinstance(value, Decimal) else super()._func_type(value)

    @functions.signature({"types": []})  # type: ignore[untyped-decorator]
    def _func_to_string(self, value: Any) -> str:
        return value if isinstance(value, str) else dump(value)

    @functions.signature({"types": []})  # type: ignore[untyped-decorator]
    def _func_to_number(self, value: Any) -> Any:
        if not isinstance(value, str):
            return None if isinstance(value, bool | list | dict) else value
        try:
            number = Decimal(value)
        except decimal.InvalidOperation:
            return None
        return number if number.is_finite() else None


def _with_decimal(names: tuple[str, ...]) -> list[str]:
    return [*names, "Decimal"] if "float" in names else list(names)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


_OPTIONS = jmespath.Options(custom_functions=_Functions())
