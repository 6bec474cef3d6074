"""Who asks: by a session, a proxy's header or a token."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection

from dapu.components.steering import Operator
from dapu.server.tokens import Tokens
from dapu.warehouse.login_settings import Login, Role, ServerSection
from dapu.warehouse.seal import Seal

_RANKS: dict[Role, int] = {"viewer": 1, "operator": 2, "admin": 3}
_SHORT = 12  # characters of a checksum


def brings_token(headers: Mapping[str, str]) -> bool:
    """Whether a request says by itself who sent it.

    No browser does that for another site; `Basic`, which a proxy may want, it would add by itself.
    """
    return headers.get("authorization", "").lower().startswith("bearer ")


@dataclass(frozen=True)
class Person:
    """Who asks. way: `login`, `oidc`, `proxy`, `token`, or `no login`, where there is none."""

    name: str
    role: Role
    way: str

    def may(self, role: Role) -> bool:
        """Whether it is enough for what needs a role."""
        return _RANKS[self.role] >= _RANKS[role]

    def operator(self) -> Operator:
        """As events have it."""
        return Operator(self.name, self.way)


class People:
    """Knows who asks. A session says only who logged in: what one may do, the settings say."""

    def __init__(self, section: ServerSection, tokens: Tokens, seal: Seal) -> None:
        self.section, self.tokens, self.seal = section, tokens, seal
        self._logins = {login.name: login for login in section.logins}

    @property
    def is_open(self) -> bool:
        """Whether there is neither a login nor a token, so that whoever reaches it may do all."""
        return not (self.section.has_logins or self.tokens)

    def who(self, request: HTTPConnection) -> Person | None:
        """Who sent a request; None when that is not known."""
        if brings_token(request.headers):
            return self._by_token(request.headers["authorization"])
        if self.is_open:
            return Person("anybody", "admin", "no login")
        return self._by_session(request.scope["session"]) or self._by_proxy(request)

    def login(self, name: str) -> Login | None:
        """A login of the settings."""
        return self._logins.get(name)

    def remember(self, session: dict[str, Any], way: str, name: str, groups: list[str]) -> None:
        """Begins a session anew: nothing of the one before holds."""
        session.clear()
        session.update(way=way, name=name, groups=groups, at=int(time.time()))
        if way in ("login", "token"):
            session["proof"] = self._proof(way, name)

    def csrf(self, request: HTTPConnection) -> str:
        """What a form must bring back: it holds for one session, and one person."""
        session = request.scope["session"]
        if "nonce" not in session:
            session["nonce"] = secrets.token_urlsafe(16)
        person = self.who(request)
        return self.seal.checksum(f"csrf {session['nonce']} {person and (person.way, person.name)}")

    def token_name(self, stored: str) -> str:
        """What a token is called: none can be guessed from it."""
        return f"token {self.seal.checksum(f'token {stored}')[:_SHORT]}"

    def _by_token(self, header: str) -> Person | None:
        stored = self.tokens.find(header.partition(" ")[2].strip())
        return None if stored is None else Person(self.token_name(stored), "admin", "token")

    def _by_session(self, session: Mapping[str, Any]) -> Person | None:
        way, name = session.get("way"), session.get("name")
        if not isinstance(way, str) or not isinstance(name, str) or self._is_over(session):
            return None
        if way == "oidc":
            role = self.role_of(name, session.get("groups") or []) if self.section.oidc else None
        else:
            proof = self._proof(way, name)
            if not proof or not hmac.compare_digest(proof, str(session.get("proof"))):
                return None
            login = self._logins.get(name)
            role = login.role if login else "admin"
        return Person(name, role, way) if role else None

    def _is_over(self, session: Mapping[str, Any]) -> bool:
        return bool(session.get("at", 0) + self.section.session.total_seconds() < time.time())

    def _proof(self, way: str, name: str) -> str:
        """Changes with the password or token: then its sessions end."""
        if way == "login":
            login = self._logins.get(name)
            return self.seal.checksum(login.password.get_secret_value()) if login else ""
        known = [*self.tokens.plain, *self.tokens.hashed]
        stored = next((one for one in known if self.token_name(one) == name), None)
        return self.seal.checksum(f"session {stored}") if stored else ""

    def _by_proxy(self, request: HTTPConnection) -> Person | None:
        proxy = self.section.proxy
        if proxy is None or proxy.user_header is None or not self.is_proxy(request.scope["peer"]):
            return None
        names = _texts(request, proxy.user_header)
        if len(names) != 1 or not names[0].strip():  # two: one of them is not the proxy's
            return None
        groups = _texts(request, proxy.groups_header) if proxy.groups_header else []
        listed = [group.strip() for group in ",".join(groups).split(",")]
        role = self.role_of(names[0].strip(), listed)
        return Person(names[0].strip(), role, "proxy") if role else None

    def is_proxy(self, peer: str | None) -> bool:
        """Whether an address is the proxy's."""
        if peer is None or self.section.proxy is None:
            return False
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self.section.proxy.addresses)

    def role_of(self, name: str, groups: Iterable[str]) -> Role | None:
        """What the settings let somebody do whom they know by name, by a group, or not at all."""
        roles = self.section.roles
        if name in roles and not name.startswith("group:") and name != "*":
            return roles[name]
        of_groups = [roles[key] for group in groups if (key := f"group:{group}") in roles]
        if of_groups:
            return max(of_groups, key=_RANKS.__getitem__)
        return roles.get("*")


def _texts(request: HTTPConnection, header: str) -> list[str]:
    """The values of a header: in UTF-8, as proxies send names, or else in Latin-1 (RFC 9110)."""
    return [_text(value.encode("latin-1")) for value in request.headers.getlist(header)]


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
