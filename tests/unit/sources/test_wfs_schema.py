"""What a WFS server says that its features have."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from dapu.errors import JobError
from dapu.sources.wfs.feature_type import FeatureType, read_feature_type

_SCHEMA = """
<schema xmlns="http://www.w3.org/2001/XMLSchema">
  <element name="thing" type="A"/>
  <complexType name="A"><complexContent><extension base="B"><sequence>
    <element name="n" type="S"/></sequence></extension></complexContent></complexType>
  <complexType name="B"><complexContent><extension base="{of_b}"/></complexContent></complexType>
  <simpleType name="S"><restriction base="{of_s}"/></simpleType>
</schema>"""


def _read(of_b: str, of_s: str) -> FeatureType:
    schema = ElementTree.fromstring(_SCHEMA.format(of_b=of_b, of_s=of_s))
    return read_feature_type(schema, "thing")


def test_types_that_are_made_of_others() -> None:
    (found,) = _read("Other", "int").properties
    assert (found.name, found.kind) == ("n", "integer")


@pytest.mark.parametrize(("of_b", "of_s"), [("A", "int"), ("B", "int"), ("Other", "S")])
def test_a_type_that_is_made_of_itself_is_refused(of_b: str, of_s: str) -> None:
    with pytest.raises(JobError, match="of itself"):
        _read(of_b, of_s)
