"""The page that describes the server's requests, made of what OpenAPI says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Endpoint:
    """One of the requests. parameters: their names, what they are, and whether they must be."""

    method: str
    path: str
    text: str
    parameters: Sequence[tuple[str, str, bool]]
    answers: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class DescribedPage:
    """What it shows."""

    endpoints: Sequence[Endpoint]


def described(openapi: Mapping[str, Any]) -> DescribedPage:
    """Reads it. openapi: the description, as OpenAPI 3.1 has it."""
    return DescribedPage(
        [
            _endpoint(method, path, operation)
            for path, item in sorted(openapi["paths"].items())
            for method, operation in item.items()
        ]
    )


def _endpoint(method: str, path: str, operation: Mapping[str, Any]) -> Endpoint:
    parameters = [
        (one["name"], one.get("description", ""), bool(one.get("required")))
        for one in operation.get("parameters", ())
    ]
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        required = content["schema"].get("required", ())
        place = "" if kind.endswith("form-urlencoded") else "body: "
        parameters += [
            (place + name, field.get("description", ""), name in required)
            for name, field in content["schema"].get("properties", {}).items()
            if name not in [known for known, _, _ in parameters]
        ]
    answers = [(status, of["description"]) for status, of in operation["responses"].items()]
    text = operation.get("description") or operation.get("summary", "")
    return Endpoint(method.upper(), path, text, parameters, answers)
