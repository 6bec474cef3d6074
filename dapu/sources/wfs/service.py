"""What a WFS server says of itself, and asking it.

OGC 02-058 (WFS 1.0), 04-094 (1.1), 09-025r2 (2.0): questions are parameters of an address, answers
are XML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from dapu.errors import ConfigurationError, JobError
from dapu.sources.documents.bounds import Body
from dapu.sources.http.messages import Request
from dapu.sources.http.session import HttpSession, Sink
from dapu.suggest import nearest
from dapu.warehouse.connection_kinds import WfsConnection

_EPSG = re.compile(r"EPSG\W.*?(\d+)$", re.IGNORECASE)
_CRS84 = "CRS84"  # longitude and latitude in WGS 84
_OWN = {"service", "version", "request", "acceptversions"}
_SHOWN = 500  # characters of an exception report


@dataclass(frozen=True)
class Layer:
    """A feature type. srids: EPSG numbers, the first the server's own."""

    name: str
    title: str
    srids: tuple[int, ...]


@dataclass(frozen=True)
class Capabilities:
    """What the server offers. sequence: changes with the server's description of itself."""

    version: str
    sequence: str | None
    layers: tuple[Layer, ...]

    def layer(self, name: str) -> Layer:
        """The layer of that name, also without its prefix.

        Raises ConfigurationError that names the nearest.
        """
        by_name = {layer.name: layer for layer in self.layers}
        by_local = [layer for layer in self.layers if local(layer.name) == name]
        if name in by_name:
            return by_name[name]
        if len(by_local) == 1:
            return by_local[0]
        raise ConfigurationError(f"the server has no layer `{name}`{nearest(name, by_name)}")


class Service:
    """One server."""

    def __init__(self, connection: WfsConnection, session: HttpSession) -> None:
        self._wanted, self._session = connection.version, session
        self._url = _bare(connection.url)

    @cached_property
    def capabilities(self) -> Capabilities:
        """Asked for once."""
        given = {"version": self._wanted, "acceptversions": self._wanted} if self._wanted else {}
        root = self._document({"request": "GetCapabilities", **given})
        if not local(root.tag).endswith("Capabilities"):
            raise JobError(f"{self._url} is not a WFS: it answers with <{local(root.tag)}>")
        version = root.get("version", "")
        if self._wanted and version != self._wanted:
            raise ConfigurationError(
                f"{self._url} does not speak WFS {self._wanted}, but {version or 'none'}; "
                "change `version` of the connection, or leave it out"
            )
        if version[:3] not in ("1.0", "1.1", "2.0"):
            raise JobError(f"{self._url} speaks WFS {version or 'of no version'}, which is unknown")
        return Capabilities(version, root.get("updateSequence"), tuple(_layers(root)))

    def schema(self, layer: str) -> Element:
        """The XML schema of a layer's features."""
        root = self._document(
            {
                "version": self.capabilities.version,
                "request": "DescribeFeatureType",
                **self.names(layer),
            }
        )
        if local(root.tag) != "schema":
            raise JobError(f"{self._url} answers DescribeFeatureType with <{local(root.tag)}>")
        return root

    def features(self, parameters: dict[str, str], into: Sink) -> None:
        """Asks for features; the answer is written into `into`."""
        given = {"version": self.capabilities.version, "request": "GetFeature", **parameters}
        self._session.send(self._request(given), into)

    def stop(self) -> None:
        """Ends what is being asked."""
        self._session.stop()

    def names(self, layer: str) -> dict[str, str]:
        """The parameter that names a layer."""
        key = "typenames" if self.capabilities.version.startswith("2") else "typename"
        return {key: layer}

    def _request(self, parameters: dict[str, str]) -> Request:
        return Request(self._url, parameters={"service": "WFS", **parameters})

    def _document(self, parameters: dict[str, str]) -> Element:
        body = Body(f"the answer to {parameters['request']}")
        answer = self._session.send(self._request(parameters), body)
        data = body.getvalue()
        try:
            root = ElementTree.fromstring(data)
        except (ElementTree.ParseError, ValueError, LookupError) as error:
            start = " ".join(data[:200].decode(errors="replace").split())
            raise JobError(
                f"{answer.url} does not answer in XML ({error}); it begins: {start}"
            ) from None
        raise_exception_report(root)
        return root


def raise_exception_report(root: Element) -> None:
    """Raises JobError with what the server says, when its answer is an error."""
    if local(root.tag) not in ("ExceptionReport", "ServiceExceptionReport"):
        return
    parts = []
    for element in root.iter():
        if local(element.tag) in ("Exception", "ServiceException"):
            parts.append(element.get("exceptionCode") or element.get("code") or "")
        parts.append(element.text or "")
    said = " ".join(" ".join(parts).split())[:_SHOWN]
    raise JobError(f"the server answers with an error: {said}")


def srid_of(name: str) -> int | None:
    """The EPSG number in a name of a reference system; None for others."""
    match = _EPSG.search(name.strip())
    if match is not None:
        return int(match[1])
    return 4326 if name.strip().endswith(_CRS84) else None


def local(name: str) -> str:
    """A name without its namespace or prefix."""
    return name.rpartition("}")[2].rpartition(":")[2]


def _layers(root: Element) -> Iterator[Layer]:
    for element in root.iter():
        if local(element.tag) != "FeatureType":
            continue
        texts: dict[str, list[str]] = {}
        for child in element:
            texts.setdefault(local(child.tag), []).append((child.text or "").strip())
        systems: list[str] = []
        for key in ("DefaultCRS", "DefaultSRS", "SRS", "OtherCRS", "OtherSRS"):
            systems += texts.get(key, [])
        srids = [srid for system in systems if (srid := srid_of(system)) is not None]
        title = (texts.get("Title") or [""])[0]
        yield Layer((texts.get("Name") or [""])[0], title, tuple(dict.fromkeys(srids)))


def _bare(url: str) -> str:
    """The address without the parameters of some question that was copied with it."""
    parts = urlsplit(url)
    kept = [(k, v) for k, v in parse_qsl(parts.query, True) if k.lower() not in _OWN]
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(kept), ""))
