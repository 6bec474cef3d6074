"""Writes small workbooks of OpenDocument, cell by cell, as no program here would write them."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from io import BytesIO

_TYPE = "application/vnd.oasis.opendocument.spreadsheet"
_URN = "urn:oasis:names:tc:opendocument:xmlns"
_MANIFEST = f"""<?xml version="1.0" encoding="UTF-8"?>
<manifest:manifest xmlns:manifest="{_URN}:manifest:1.0" manifest:version="1.2">
<manifest:file-entry manifest:full-path="/" manifest:media-type="{_TYPE}"/>
<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>
</manifest:manifest>"""
_CONTENT = f"""<?xml version="1.0" encoding="UTF-8"?>
<office:document-content xmlns:office="{_URN}:office:1.0" xmlns:table="{_URN}:table:1.0"
 xmlns:text="{_URN}:text:1.0" office:version="1.2"><office:body><office:spreadsheet>
<table:table table:name="{{sheet}}">{{rows}}</table:table>
</office:spreadsheet></office:body></office:document-content>"""


def ods(rows: Sequence[Sequence[str]], sheet: str = "Costs") -> bytes:
    """A workbook of one sheet. Its cells are XML: `<table:table-cell …/>`."""
    lines = (f"<table:table-row>{''.join(cells)}</table:table-row>" for cells in rows)
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("mimetype", _TYPE)
        archive.writestr("META-INF/manifest.xml", _MANIFEST)
        archive.writestr("content.xml", _CONTENT.format(sheet=sheet, rows="".join(lines)))
    return packed.getvalue()
