"""What is to follow a request (`thenRun`): a task of the warehouse, or a call of an address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from psycopg2.extensions import cursor as Cursor

from dapu.registry import agenda
from dapu.registry.store import Registry

_SECONDS = 30.0


def queue_task(cursor: Cursor, registry: Registry, task: str) -> str | None:
    """Queues a task in the transaction that ends the request; what is wrong, if it cannot."""
    if agenda.add(cursor, registry, task, "run", False) is None:
        return f"thenRun: the task {task} is not registered"
    return None


def call(follow: Mapping[str, Any]) -> str | None:
    """Asks an address, with its token if it has one; what is wrong, if it does not answer well."""
    token = follow.get("token")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        answer = requests.get(
            follow["url"], headers=headers, timeout=_SECONDS, allow_redirects=False
        )
    except requests.RequestException as error:
        return f"thenRun: {follow['url']} does not answer: {type(error).__name__}"
    return None if answer.ok else f"thenRun: {follow['url']} answers {answer.status_code}"
