"""conf/sql.yaml (or profiles.yaml) and conf/file.yaml as connections.yaml."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from dapu.convert.old_project import Leftovers, OldFile, OldProject, as_mapping, read_old
from dapu.errors import ConfigurationError

TARGET, MAIN = "target", "main"
_FROM_ENVIRONMENT = re.compile(r"%(\w+)%")
_FILLED_IN = re.compile(r"\$\{\w+\}")
_KNOWN = {"driver", "host", "port", "engine", "database", "username", "password", "extra", "extras"}
_OF_POSTGRES = {"connect_timeout", "keepalives_idle", "application_name"}
_DRIVERS = {"maria": "mysql+pymysql", "mssql": "mssql+pymssql", "oracle": "oracle+oracledb"}
_BY_ODBC = ("asa", "odbc")
_ANYWHERE = "SQL Anywhere 17"  # as its installer calls the driver


@dataclass
class NewConnections:
    """What goes into connections.yaml and .env.

    names: those that could be converted, by their old name. unknown: those that could not.
    """

    entries: list[dict[str, Any]] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)

    @property
    def dotenv(self) -> str:
        """What goes into .env. Raises ConfigurationError for a password that it cannot hold."""
        for name, value in self.secrets.items():
            if "'" in value and ('"' in value or "${" in value):
                raise ConfigurationError(f"the password {name} has quotes of both kinds; change it")
        quoted = {
            name: f'"{value}"' if "'" in value else f"'{value}'"
            for name, value in self.secrets.items()
        }
        return "".join(f"{name}={value}\n" for name, value in quoted.items())

    def secret(self, name: str, value: str) -> str:
        """A password in plain text goes to .env; returns what stands for it."""
        if found := _FROM_ENVIRONMENT.fullmatch(value):
            return f"${{{found[1]}}}"
        if _FILLED_IN.fullmatch(value):
            return value
        key = re.sub(r"\W", "_", f"{name}_password").upper()
        self.secrets[key] = value
        return f"${{{key}}}"


def convert_connections(old: OldProject, left: Leftovers) -> NewConnections:
    """Raises ConfigurationError when there is no `target` in PostgreSQL."""
    conf, new = old.folder / "conf", NewConnections()
    profiles = read_old(conf / "sql.yaml")
    if not profiles.keys:
        profiles = read_old(conf / "profiles.yaml")
    target = profiles.keys.get(TARGET)
    if not isinstance(target, dict) or target.get("driver") != "pg":
        raise ConfigurationError(
            f"{profiles.document.path}: there is no `target` with `driver: pg`, the warehouse"
        )
    for name in sorted(profiles.keys, key=lambda name: name != TARGET):
        _convert_database(name, profiles, new, left)
    folders = read_old(conf / "file.yaml")
    for name, folder in folders.keys.items():
        path = folder.get("path") if isinstance(folder, dict) else folder
        new.entries.append({"name": name, "driver": "files", "path": str(path)})
        new.names[name] = name
    return new


def _convert_database(name: str, file: OldFile, new: NewConnections, left: Leftovers) -> None:
    profile = file.keys[name]
    driver = profile.get("driver") if isinstance(profile, dict) else None
    make = _MAKERS.get(str(driver))
    if make is None:
        why = f"the driver {driver} is unknown; write the connection, and let its routes name it"
        left.add(file.fault(why, name))
        new.unknown.add(name)
        return
    for key in profile.keys() - _KNOWN:
        left.add(file.fault("has no match; if it matters, write it below `extra`", name, key))
    if driver in _BY_ODBC:
        left.add(
            file.fault("is read through ODBC: install its driver, and see `extra.DRIVER`", name)
        )
    new.names[name] = called = _new_name(name, file)
    made = {"name": called, **make(new, called, profile)}
    extra = {**made.pop("extra", {}), **_extra(profile)}
    if driver == "pg":
        for key in extra.keys() - _OF_POSTGRES:  # dapu 0.8 gave PostgreSQL no others
            left.add(file.fault(f"extra {key} was not used; left out", name))
            del extra[key]
    new.entries.append(made | ({"extra": extra} if extra else {}))


def _extra(profile: Mapping[str, Any]) -> dict[str, Any]:
    """What the driver is given beside; of ODBC the keywords are others."""
    if profile.get("driver") in _BY_ODBC:
        return {}
    return {**as_mapping(profile.get("extra")), **as_mapping(profile.get("extras"))}


def _new_name(name: str, file: OldFile) -> str:
    if name == TARGET:
        return MAIN
    return name if name != MAIN or TARGET not in file.keys else "main_source"


def _postgres(new: NewConnections, name: str, profile: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("host", "port", "database", "username")
    made = {"driver": "pg"} | {key: profile[key] for key in keys if profile.get(key) is not None}
    if profile.get("password"):
        made["password"] = new.secret(name, str(profile["password"]))
    return made


def _by_url(new: NewConnections, name: str, profile: Mapping[str, Any]) -> dict[str, Any]:
    account = "".join(_account(new, name, profile))
    host, port = profile.get("host") or "localhost", profile.get("port")
    place = f"{host}:{port}" if port else str(host)
    database = quote(str(profile.get("database") or ""), safe="${}")
    driver = str(profile["driver"])
    path = f"?service_name={database}" if driver == "oracle" and database else database
    return {"url": f"{_DRIVERS[driver]}://{account}{place}/{path}"}


def _anywhere(new: NewConnections, name: str, profile: Mapping[str, Any]) -> dict[str, Any]:
    host, port = profile.get("host"), profile.get("port")
    extra = {
        "DRIVER": _ANYWHERE,
        "Host": f"{host}:{port}" if port else host,
        "ServerName": profile.get("engine"),
        "DatabaseName": profile.get("database"),
    }
    return _odbc_with(new, name, profile, extra)


def _odbc(new: NewConnections, name: str, profile: Mapping[str, Any]) -> dict[str, Any]:
    """Dapu 0.8 took the database's name for a data source where no driver was named."""
    driver = as_mapping(profile.get("extras")).get("driver")
    if not driver:
        return _odbc_with(new, name, profile, {"DSN": profile.get("database")})
    keys = {"Host": "host", "Database": "database", "Port": "port"}
    extra = {word: profile.get(key) for word, key in keys.items()}
    return _odbc_with(new, name, profile, {"DRIVER": driver, **extra})


def _odbc_with(
    new: NewConnections, name: str, profile: Mapping[str, Any], extra: Mapping[str, Any]
) -> dict[str, Any]:
    known = {key: value for key, value in extra.items() if value is not None}
    return {"url": f"odbc://{''.join(_account(new, name, profile))}/", "extra": known}


def _account(new: NewConnections, name: str, profile: Mapping[str, Any]) -> Iterator[str]:
    if profile.get("username"):
        yield _in_url(str(profile["username"]))
        if profile.get("password"):
            yield f":{new.secret(name, str(profile['password']))}"
        yield "@"


def _in_url(text: str) -> str:
    return text if _FILLED_IN.fullmatch(text) else quote(text, safe="")


_MAKERS: dict[str, Callable[[NewConnections, str, Mapping[str, Any]], dict[str, Any]]] = {
    "pg": _postgres,
    **dict.fromkeys(_DRIVERS, _by_url),
    "asa": _anywhere,
    "odbc": _odbc,
}
