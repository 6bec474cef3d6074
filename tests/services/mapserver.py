"""MapServer as a WFS server on loopback. It needs the program of Debian's cgi-mapserver."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.services.serving import serving

_CONFIG = 'CONFIG\n  ENV\n    PROJ_DATA "/usr/share/proj"\n  END\nEND\n'

_MAP = """
MAP
  NAME "dapu"
  EXTENT {extent}
  PROJECTION "init=epsg:{srid}" END
  WEB
    METADATA
      "wfs_title" "Test data"
      "wfs_onlineresource" "{url}"
      "wfs_srs" "EPSG:3301 EPSG:4326 EPSG:3857"
      "wfs_enable_request" "*"
      "wfs_updatesequence" "{sequence}"
      {settings}
    END
  END
  {layers}
END
"""

_LAYER = """
  LAYER
    NAME "{name}"
    TYPE {kind}
    STATUS ON
    CONNECTIONTYPE POSTGIS
    CONNECTION "{connection}"
    DATA "geom from (select * from {table}) as t using unique {key} using srid={srid}"
    PROJECTION "init=epsg:{srid}" END
    METADATA
      "wfs_title" "{name}"
      "gml_featureid" "{key}"
      "gml_include_items" "all"
      "gml_types" "auto"
      "wfs_use_default_extent_for_getfeature" "false"
    END
  END
"""


def installed() -> str | None:
    """The program that serves, or None."""
    return shutil.which("mapserv", path=f"{os.environ.get('PATH', '')}:/usr/lib/cgi-bin")


@dataclass(frozen=True)
class Layer:
    """A table of a PostGIS database as a layer. kind: POINT, LINE or POLYGON."""

    name: str
    table: str
    kind: str = "POLYGON"
    srid: int = 3301
    key: str = "id"


@dataclass
class MapServer:
    """A running server. `requests` are the query strings that came."""

    port: int
    folder: Path
    requests: list[str]

    @property
    def url(self) -> str:
        """Where the WFS answers."""
        return f"http://127.0.0.1:{self.port}/wfs"

    def serve(
        self,
        layers: list[Layer],
        connection: str,
        settings: Mapping[str, str] | None = None,
        sequence: str = "1",
    ) -> None:
        """Has these layers from now on. settings: metadata such as `wfs_maxfeatures`."""
        given = "\n      ".join(f'"{key}" "{value}"' for key, value in (settings or {}).items())
        texts = [_LAYER.format(connection=connection, **vars(layer)) for layer in layers]
        text = _MAP.format(
            extent="0 0 1000000 7000000",
            srid=layers[0].srid,
            url=self.url,
            settings=given,
            sequence=sequence,
            layers="".join(texts),
        )
        (self.folder / "dapu.map").write_text(text, encoding="utf-8")


@contextmanager
def running_mapserver(program: str, folder: Path) -> Iterator[MapServer]:
    """Starts a server that runs MapServer's CGI program; stops it at the end."""
    (folder / "mapserver.conf").write_text(_CONFIG, encoding="utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    map_server = MapServer(server.server_address[1], folder, [])
    server.RequestHandlerClass = _handler(program, map_server)
    with serving(server):
        yield map_server


def _handler(program: str, map_server: MapServer) -> type[BaseHTTPRequestHandler]:
    folder = map_server.folder

    class Handler(BaseHTTPRequestHandler):
        """Runs the program for each request, by the rules of CGI (RFC 3875)."""

        def do_GET(self) -> None:
            query = self.path.partition("?")[2]
            map_server.requests.append(query)
            environment = {
                "PATH": os.environ.get("PATH", ""),
                "GATEWAY_INTERFACE": "CGI/1.1",
                "REQUEST_METHOD": "GET",
                "QUERY_STRING": query,
                "SCRIPT_NAME": "/wfs",
                "SERVER_NAME": "127.0.0.1",
                "SERVER_PORT": str(map_server.port),
                "MAPSERVER_CONFIG_FILE": str(folder / "mapserver.conf"),
                "MS_MAPFILE": str(folder / "dapu.map"),
            }
            with subprocess.Popen([program], env=environment, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                self.send_response_only(200)
                self.flush_headers()  # the program writes the others
                shutil.copyfileobj(process.stdout, self.wfile, 1 << 16)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
            """Says nothing."""

    return Handler
