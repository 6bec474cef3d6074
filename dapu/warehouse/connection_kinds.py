"""The kinds of connections: what each has to be given in connections.yaml."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from dapu.warehouse.cluster import Cluster
from dapu.warehouse.database_url import DatabaseUrl, parse_database_url
from dapu.warehouse.duration_field import Duration
from dapu.warehouse.yamlfile import Strict

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_PLACE = re.compile(r"(\w+)://([^/]*)")
_SERVICE = re.compile(r"(md|motherduck):")


def _known_place(path: str) -> str:
    match = _PLACE.match(path)
    if match is None:
        return path
    scheme, host = match.groups()
    if scheme not in ("s3", "sftp", "https", "http"):
        raise ValueError(f"{scheme}:// is unknown; give a folder, s3://, sftp:// or https://")
    if "@" in host:
        raise ValueError("give `username` and `password` as keys of their own, not in the path")
    return path


def _http_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not a web address; write, for example, https://api.example.com/v2")
    if "@" in parts.netloc:
        raise ValueError("give `username` and `password` under `auth`, not in the url")
    return url


def _no_dsn(word: str) -> str:
    """For libpq it would be a whole address, with a password perhaps that messages then show."""
    if "://" in word or "=" in word:
        raise ValueError("is one word; give `host`, `username` and `password` as keys of their own")
    return word


Word = Annotated[str, AfterValidator(_no_dsn)]


HttpUrl = Annotated[str, AfterValidator(_http_url)]


class Connection(Strict):
    """What every connection has. `folder` is the warehouse directory, for relative paths."""

    name: str = Field(description="What routes and actions call it; `main` is the warehouse")


class PgConnection(Connection):
    """A PostgreSQL server: the warehouse itself, or a source."""

    driver: Literal["pg"] = Field(description="A PostgreSQL server")
    host: Word | None = Field(
        None, description="Name, address or socket folder; default as libpq has it (`PGHOST`)"
    )
    port: int = Field(5432, ge=1, le=65535, description="Its port")
    database: Word = Field(description="Name of the database")
    username: str | None = Field(None, description="Role to log in as; default as libpq has it")
    password: SecretStr | None = Field(
        None, description="Write `${NAME}`, never the password itself; default as libpq has it"
    )
    extra: dict[str, str | int] = Field(
        {}, description="Further keywords of libpq, for example `sslmode` or `connect_timeout`"
    )

    def libpq(self) -> dict[str, Any]:
        """The keywords that libpq takes."""
        known = {
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": self.username,
            "password": self.password.get_secret_value() if self.password else None,
        }
        return {key: value for key, value in known.items() if value is not None} | self.extra

    def __str__(self) -> str:
        return f"{self.username or ''}@{self.host or 'local socket'}:{self.port}/{self.database}"


class EmbeddedConnection(Connection):
    """A private PostgreSQL that dapu starts under `path`."""

    driver: Literal["embedded"] = Field(description="A private PostgreSQL that dapu starts")
    path: str = Field(
        ".dapu/postgres", description="Its data folder, relative to the warehouse directory"
    )
    database: str = Field("warehouse", description="Name of the database, made when missing")

    def __str__(self) -> str:
        return f"embedded PostgreSQL, {self.path}, {self.database}"


class UrlConnection(Connection):
    """Any database that SQLAlchemy knows."""

    url: SecretStr = Field(
        description="SQLAlchemy URL; the path of a file of SQLite or DuckDB is relative to the "
        "warehouse directory"
    )
    extra: dict[str, Any] = Field({}, description="Arguments for the driver's `connect`")

    @property
    def parts(self) -> DatabaseUrl:
        """The URL in its parts. PyMySQL is the driver of MySQL where none is named."""
        parts = parse_database_url(self.url.get_secret_value())
        if parts.drivername in ("mysql", "mariadb"):
            return replace(parts, drivername=f"{parts.drivername}+pymysql")
        return parts

    def sqlite_file(self, folder: Path) -> str:
        """The path of a SQLite file; a relative one is sought in the warehouse directory."""
        name = self.parts.database
        return str(folder / name) if name and name != ":memory:" else name or ""

    @property
    def arguments(self) -> dict[str, Any]:
        """For the driver's `connect`: others can read a DuckDB file too, and it is not made."""
        return {"read_only": True, **self.extra} if self._is_duckdb_file else self.extra

    @property
    def _is_duckdb_file(self) -> bool:
        """Whether it is a file of DuckDB: not one in memory, nor a service."""
        name = self.parts.database or ":memory:"
        is_elsewhere = name.startswith(":memory:") or "://" in name or _SERVICE.match(name)
        return self.parts.backend == "duckdb" and not is_elsewhere

    def sqlalchemy_url(self, folder: Path) -> URL:
        """The URL, with the whole path of a file of SQLite or DuckDB."""
        from sqlalchemy.engine import make_url

        url = make_url(self.url.get_secret_value()).set(drivername=self.parts.drivername)
        if self.parts.backend == "sqlite":
            return url.set(database=self.sqlite_file(folder))
        if self._is_duckdb_file:
            return url.set(database=str(folder / (url.database or "")))
        return url

    def __str__(self) -> str:
        from sqlalchemy.engine import make_url

        return make_url(self.url.get_secret_value()).render_as_string(hide_password=True)


class FilesConnection(Connection):
    """A folder with files: a mounted share, for example, or a place on a server."""

    driver: Literal["files"] = Field(description="A folder with files")
    path: Annotated[str, AfterValidator(_known_place)] = Field(
        description="The folder, relative to the warehouse directory; or `s3://bucket/folder`, "
        "`sftp://host/folder`, `https://host/folder`"
    )
    follow_links: bool = Field(
        False, description="Whether links in a folder may lead to files outside of it"
    )
    username: str | None = Field(
        None, description="Who enters the server; for S3 the access key's id"
    )
    password: SecretStr | None = Field(
        None, description="Its password; for S3 the secret access key"
    )
    extra: dict[str, Any] = Field(
        {},
        description="Arguments for fsspec's file system: `endpoint_url` of an S3 server, "
        "`client_keys` and `known_hosts` for SFTP, `headers` for HTTPS",
    )

    def __str__(self) -> str:
        return self.path


class BasicAuth(Strict):
    """User name and password with each request (RFC 7617)."""

    type: Literal["basic"]
    username: str = Field(description="Who asks")
    password: SecretStr = Field(description="Write `${NAME}`, never the password itself")


class BearerAuth(Strict):
    """A token with each request (RFC 6750)."""

    type: Literal["bearer"]
    token: SecretStr = Field(description="Write `${NAME}`, never the token itself")


class ApiKeyAuth(Strict):
    """A key with each request, in a header or as a parameter of the address."""

    type: Literal["api_key"]
    api_key: SecretStr = Field(description="Write `${NAME}`, never the key itself")
    header: str | None = Field(None, description="The header that takes it: `X-Api-Key`")
    parameter: str | None = Field(None, description="Or the parameter that takes it")

    @model_validator(mode="after")
    def _one_place(self) -> ApiKeyAuth:
        if (self.header is None) == (self.parameter is None):
            raise ValueError("an API key goes into either a `header` or a `parameter`")
        return self


class OAuth2Auth(Strict):
    """A token that is fetched when it is needed: client credentials (RFC 6749, section 4.4)."""

    type: Literal["oauth2"]
    url: HttpUrl = Field(description="Where tokens are given out")
    client_id: str = Field(description="Who asks")
    client_secret: SecretStr = Field(description="Write `${NAME}`, never the secret itself")
    scope: str | None = Field(None, description="What the token is to allow")
    parameters: dict[str, str] = Field({}, description="More to say, such as `audience`")
    send_in: Literal["header", "body"] = Field(
        "header", description="How client_id and client_secret are sent"
    )


HttpAuth = Annotated[BasicAuth | BearerAuth | ApiKeyAuth | OAuth2Auth, Field(discriminator="type")]


class RateLimit(Strict):
    """How often a server may be asked."""

    requests: int = Field(ge=1, description="So many requests")
    per: Duration = Field(description="In this time, spread evenly")


class HttpConnection(Connection):
    """A server that is asked over HTTP."""

    url: HttpUrl = Field(description="Its address; paths of actions are below it")
    headers: dict[str, str] = Field({}, description="Sent with each request")
    auth: HttpAuth | None = Field(None, description="Credentials")
    timeout: Duration = Field(
        timedelta(minutes=1), description="How long the server may say nothing"
    )
    retries: int = Field(
        5, ge=0, le=20, description="Tries after the first, when a request fails for a while"
    )
    rate_limit: RateLimit | None = Field(
        None, description="How often each process may ask; default as fast as answers come"
    )

    def __str__(self) -> str:
        return self.url


class RestConnection(HttpConnection):
    """A web service."""

    driver: Literal["rest"] = Field(description="A web service that answers in JSON or XML")


class WfsConnection(HttpConnection):
    """An OGC Web Feature Service."""

    driver: Literal["wfs"] = Field(description="An OGC Web Feature Service")
    version: Literal["2.0.0", "1.1.0", "1.0.0"] | None = Field(
        None, description="Of the protocol; default the newest that the server speaks"
    )


class ExecuteConnection(Connection):
    """An Execute server."""

    driver: Literal["execute"] = Field(description="A server with the Execute API")
    url: HttpUrl = Field(description="Its address, as in a browser")
    key_id: str = Field(description="Id of the API key")
    key_secret: SecretStr = Field(description="Write `${NAME}`, never the secret itself")

    def __str__(self) -> str:
        return self.url


Image = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._:/-]*$")]
Memory = Annotated[str, Field(pattern=r"^[0-9]+[bkmg]?$")]
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)


class ConnectorConnection(Connection):
    """A connector: a program that speaks the Airbyte protocol, or a Singer tap."""

    driver: Literal["connector"] = Field(description="A program that speaks a known protocol")
    protocol: Literal["airbyte", "singer"] = Field("airbyte", description="What it speaks")
    package: str | None = Field(
        None, description="A package of the Python package index, such as `airbyte-source-faker`"
    )
    version: str | None = Field(None, description="The package's version: `7.2.1`")
    program: str | None = Field(
        None, description="The program of the package, where it is not called as the package is"
    )
    command: list[str] | None = Field(
        None, min_length=1, description="Instead of a package: a program of this machine"
    )
    image: Image | None = Field(
        None, description="Instead of a package: an image for docker, `version` is its tag"
    )
    kubernetes: Cluster | None = Field(
        None, description="The image runs as a pod of Kubernetes, and not by docker"
    )
    memory: Memory = Field("4g", description="The most memory that an image may use")
    cpus: float = Field(2, gt=0, description="The most processors that an image may use")
    manifest: str | Literal[True] | None = Field(
        None,
        description="A declarative manifest, a YAML file relative to the warehouse directory; "
        "`true`: the one in the package, of which nothing else is used",
    )
    cdk: str | None = Field(
        None,
        description="The version of airbyte-cdk that runs a manifest; default 6.61.6, or 6.33.7 "
        "where its templates use `stream_state`, which later ones refuse",
    )
    custom_code: bool = Field(False, description="Whether Python code beside a manifest may run")
    config: dict[str, Any] = Field({}, description="The connector's own configuration")
    config_file: str | None = Field(
        None, description="Instead of `config`: a JSON file, relative to the warehouse directory"
    )
    silence: Duration = Field(
        timedelta(hours=1), description="A connector that says nothing for so long is ended"
    )

    @model_validator(mode="after")
    def _one_program(self) -> ConnectorConnection:
        programs = (self.package, self.command, self.image)
        count = sum(given is not None for given in programs)
        if count != 1 and not (isinstance(self.manifest, str) and count == 0):
            raise ValueError(
                "a connector is a `package`, a `command`, an `image`, or the file of a `manifest`"
            )
        if self.package is not None and self.version is None:
            raise ValueError("`package` needs its `version`, so that each machine runs the same")
        if self.image is not None and not _TAG.fullmatch(self.version or ""):
            raise ValueError("`image` needs its tag as `version`")
        if self.kubernetes is not None and self.image is None:
            raise ValueError("`kubernetes` runs an `image`")
        if self.manifest is True and self.package is None:
            raise ValueError("`manifest: true` is the manifest of a `package`")
        if self.manifest is not None and self.protocol == "singer":
            raise ValueError("a Singer tap has no `manifest`")
        if self.config and self.config_file:
            raise ValueError("give either `config` or `config_file`")
        return self

    def __str__(self) -> str:
        if self.package is not None:
            return f"{self.package} {self.version}"
        if self.image is not None:
            return f"{self.image}:{self.version}"
        return " ".join(self.command) if self.command else str(self.manifest)
