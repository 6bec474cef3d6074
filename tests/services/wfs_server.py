"""A WFS server of the tests' own, for features and faults that no real server would give."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.services.misbehaving_http import Asked, MisbehavingServer, Reply

_GML = "http://www.opengis.net/gml/3.2"
_SPACES = (
    f'xmlns:wfs="http://www.opengis.net/wfs/2.0" xmlns:gml="{_GML}" xmlns:ms="urn:test" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)
GEOMETRY = {"geom": "gml:GeometryPropertyType"}


def point(text: str, dimension: int = 2) -> str:
    """The property `geom` of a feature."""
    return (
        f'<ms:geom><gml:Point srsName="urn:ogc:def:crs:EPSG::3301" srsDimension="{dimension}">'
        f"<gml:pos>{text}</gml:pos></gml:Point></ms:geom>"
    )


def features(count: int) -> list[str]:
    """So many features, each with a name and a place."""
    return [f"<ms:name>{number}</ms:name>{point(f'{number} 7')}" for number in range(count)]


@dataclass
class WfsServer:
    """A server with one layer, `ms:thing`.

    properties: name and type of each, as XML schema says them.
    features: what stands inside each feature.
    limit: features in an answer at the most. pages: whether it knows `startindex`.
    """

    http: MisbehavingServer
    properties: dict[str, str] = field(default_factory=lambda: {"name": "string"})
    features: list[str] = field(default_factory=list)
    limit: int = 1_000
    pages: bool = True
    says_how_many: bool = True
    system: str = "urn:ogc:def:crs:EPSG::3301"
    version: str = "2.0.0"
    sequence: str = "1"
    with_ids: bool = True
    instead: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.http.on("/wfs", self._answer)

    @property
    def connection(self) -> str:
        """The keys of a connection to it."""
        return f"driver: wfs\nurl: {self.http.url}/wfs?map=a\nretries: 0\n"

    def asked(self, request: str) -> list[Asked]:
        """The questions of one kind that came."""
        return [asked for asked in self.http.asked if asked.get("request") == request]

    def page(self, features: list[str], start: int = 0, **attributes: Any) -> str:
        """A collection of features."""
        matched = len(self.features) if self.says_how_many else "unknown"
        given = {"numberReturned": len(features), "numberMatched": matched, **attributes}
        shown = " ".join(f'{key}="{value}"' for key, value in given.items())
        members = "".join(
            f"<wfs:member><ms:thing{self._id(number)}>{feature}</ms:thing></wfs:member>\n"
            for number, feature in enumerate(features, start)
        )
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<wfs:FeatureCollection {_SPACES} {shown}>'
            f"\n{members}</wfs:FeatureCollection>"
        )

    def _id(self, number: int) -> str:
        return f' gml:id="thing.{number}"' if self.with_ids else ""

    def _answer(self, asked: Asked) -> Any:
        request = asked.get("request")
        reply = self.instead.get(request)
        if reply is not None:
            return reply(asked) if callable(reply) else reply
        if request == "GetFeature":
            text = self._features(asked)
        else:
            text = self.capabilities() if request == "GetCapabilities" else self._schema()
        return Reply(text, headers={"Content-Type": "text/xml"})

    def capabilities(self) -> str:
        """What it says of itself."""
        return (
            f'<wfs:WFS_Capabilities {_SPACES} version="{self.version}" '
            f'updateSequence="{self.sequence}"><FeatureTypeList><FeatureType>'
            f"<Name>ms:thing</Name><Title>Things</Title><DefaultCRS>{self.system}</DefaultCRS>"
            "<OtherCRS>urn:ogc:def:crs:EPSG::4326</OtherCRS></FeatureType></FeatureTypeList>"
            "</wfs:WFS_Capabilities>"
        )

    def _schema(self) -> str:
        elements = "".join(
            f'<element name="{name}" {kind if "=" in kind else self._typed(kind)}/>'
            for name, kind in self.properties.items()
        )
        return (
            '<schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:test">'
            '<element name="thing" type="ms:thingType"/><complexType name="thingType">'
            '<complexContent><extension base="gml:AbstractFeatureType">'
            f"<sequence>{elements}</sequence></extension></complexContent></complexType>"
            "</schema>"
        )

    def _typed(self, kind: str) -> str:
        return f'minOccurs="0" type="{kind}"'

    def _features(self, asked: Asked) -> str:
        if asked.get("resulttype") == "hits":
            return self.page(
                [], numberMatched=len(self.features) if self.says_how_many else "unknown"
            )
        start = int(asked.get("startindex", "0")) if self.pages else 0
        count = min(int(asked.get("count", "1000000")), self.limit)
        return self.page(self.features[start : start + count], start)
