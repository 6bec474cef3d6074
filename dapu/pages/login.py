"""The page on which one logs in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LoginPage:
    """Which ways there are to log in. then: the page that comes after. fault: of the last try."""

    has_passwords: bool
    has_tokens: bool
    has_oidc: bool
    then: str
    fault: str | None = None
