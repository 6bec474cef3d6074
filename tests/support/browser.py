"""What a browser does with the server: it logs in, keeps its cookie, and sends forms."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import requests

from tests.support.served import Served

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>"
TASK = "local.staging.after"
MakeServed = Callable[[str], Served]
"""Makes a server from the text of warehouse.yaml."""


class Browser(requests.Session):
    """What a browser does with the server."""

    def __init__(self, served: Served) -> None:
        super().__init__()
        self.url = served.url
        self.headers["Accept"] = "text/html"

    def page(self, path: str, **more: Any) -> requests.Response:
        return self.get(self.url + path, allow_redirects=False, timeout=20, **more)

    def submit(self, path: str, headers: Any = None, **fields: Any) -> Any:
        return self.post(
            self.url + path, fields, headers=headers, allow_redirects=False, timeout=20
        )

    def csrf(self, path: str) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.page(path).text)
        assert found
        return found[1]

    def log_in(self, name: str, password: str, then: str = "/") -> Any:
        fields = {"csrf": self.csrf("/login"), "name": name, "password": password, "next": then}
        return self.submit("/login", **fields)
