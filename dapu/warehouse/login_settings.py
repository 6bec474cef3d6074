"""Who may use the pages of `dapu server`: `server:` of warehouse.yaml."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from dapu.warehouse.duration_field import Duration
from dapu.warehouse.yamlfile import Strict

Role = Literal["viewer", "operator", "admin"]
_HASH = re.compile(r"scrypt:\d{1,9}:\d{1,3}:\d{1,3}:[A-Za-z0-9_-]{16,}:[A-Za-z0-9_-]{43,}")
_HEADER = re.compile(r"[A-Za-z0-9-]+")


def _hash(text: SecretStr) -> SecretStr:
    if not _HASH.fullmatch(text.get_secret_value()):
        raise ValueError("is not a hash; `dapu password` makes one")
    return text


def _address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise ValueError(f"{text!r} is not like `https://dapu.example`")
    return text.rstrip("/")


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a header")
    return name


Header = Annotated[str, AfterValidator(_header)]
Hash = Annotated[SecretStr, AfterValidator(_hash)]


class Login(Strict):
    """A person with a name and a password."""

    name: str = Field(min_length=1, max_length=100, description="Of the person, as in events")
    password: Hash = Field(description="A hash, which `dapu password` makes")
    role: Role = Field("viewer", description="What the person may do")


class Proxy(Strict):
    """A reverse proxy before the server, which knows who asks, or only ends TLS."""

    addresses: list[IPv4Network | IPv6Network] = Field(
        min_length=1, description="From where it asks, as `10.0.0.5` or `10.1.0.0/16`"
    )
    user_header: Header | None = Field(
        None, description="The header with the person's name; the proxy must remove that of others"
    )
    groups_header: Header | None = Field(
        None, description="The header with the person's groups, with commas between"
    )


class Oidc(Strict):
    """A provider of OpenID Connect."""

    issuer: Annotated[str, Field(pattern=r"^https?://")] = Field(
        description="As `https://login.example/realms/company`"
    )
    client_id: str = Field(description="That the provider has for dapu")
    client_secret: SecretStr | None = Field(
        None, description="And its secret, from the environment: `${NAME}`"
    )
    name: str = Field("email", description="The claim with the person's name")
    groups: str = Field("groups", description="The claim with the person's groups")
    scope: str = Field("openid email profile", description="What the provider is asked for")


class ServerSection(Strict):
    """Who may use the pages of `dapu server`."""

    url: Annotated[str, AfterValidator(_address)] | None = Field(
        None, description="Where people find the server, as `https://dapu.example`"
    )
    logins: list[Login] = Field([], description="People with a password")
    proxy: Proxy | None = Field(None, description="A reverse proxy before the server")
    oidc: Oidc | None = Field(None, description="A provider of OpenID Connect")
    roles: dict[str, Role] = Field(
        {},
        description="What those may do whom the proxy or the provider knows: by name, by "
        "`group:NAME`, or `*`",
    )
    session: Duration = Field(timedelta(hours=12), description="How long a login holds")

    @field_validator("logins")
    @classmethod
    def _named_once(cls, logins: list[Login]) -> list[Login]:
        names = [login.name for login in logins]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"has two logins that are called {name!r}")
        return logins

    @model_validator(mode="after")
    def _oidc_needs_an_address(self) -> ServerSection:
        if self.oidc is not None and self.url is None:
            raise ValueError("`oidc` needs `url`: where the provider sends people back to")
        return self

    @property
    def has_logins(self) -> bool:
        """Whether there is a way to know who asks, beside tokens."""
        return bool(self.logins or self.oidc or (self.proxy and self.proxy.user_header))
