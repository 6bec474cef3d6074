"""A service that a declarative manifest reads: pages of records, over HTTP on loopback.

    python -m scripts.bench.connectors.service RECORDS

It prints its URL and answers until it is ended. The records are of ten days, each asked for by
itself, so that a connector has a state after each. A page is made when it is asked for, in a small
part of the time that a connector needs to read it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from scripts.bench.measure import BenchError
from scripts.connectors.counting_connector import COLUMNS, DATA

_PAGE = 1_000  # records
_DAYS = 10  # of January 2024
_MANIFEST = """\
version: 6.0.0
type: DeclarativeSource
check: {{type: CheckStream, stream_names: [one]}}
streams:
  - type: DeclarativeStream
    name: one
    primary_key: [id]
    retriever:
      type: SimpleRetriever
      requester: {{type: HttpRequester, url_base: "{{{{ config['url'] }}}}", path: /}}
      record_selector: {{type: RecordSelector, extractor: {{type: DpathExtractor, field_path: []}}}}
      paginator:
        type: DefaultPaginator
        page_token_option: {{type: RequestOption, inject_into: request_parameter, field_name: page}}
        pagination_strategy: {{type: PageIncrement, page_size: {page}}}
    incremental_sync:
      type: DatetimeBasedCursor
      cursor_field: day
      datetime_format: "%Y-%m-%d"
      start_datetime: "2024-01-01"
      end_datetime: "2024-01-{end}"  # the CDK reads up to the day before
      step: P1D
      cursor_granularity: P1D
      start_time_option: {{type: RequestOption, inject_into: request_parameter, field_name: day}}
    schema_loader:
      type: InlineSchemaLoader
      schema: {{type: object, properties: {columns}}}
spec: {{type: Spec, connection_specification: {{type: object}}}}
"""


def manifest() -> str:
    """The manifest, with the service's URL as `url` of its configuration."""
    return _MANIFEST.format(page=_PAGE, end=_DAYS + 1, columns=json.dumps(COLUMNS))


@contextmanager
def running_service(records: int) -> Iterator[str]:
    """Runs the service as a process of its own while the block does; yields its URL."""
    command = [sys.executable, "-m", __spec__.name, str(records)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise BenchError("the service of the bench does not start")
            yield url
        finally:
            process.terminate()


def _serve(records: int) -> None:
    of_day = records // _DAYS

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # the answer's head and body go out together

        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            [day], [page] = asked["day"], asked.get("page", ["0"])
            start = (int(day[-2:]) - 1) * of_day
            first = start + int(page) * _PAGE + 1
            numbers = range(first, min(first + _PAGE, start + of_day + 1, records + 1))
            rows = ",".join(DATA % (*(number,) * 4, day, number) for number in numbers)
            content = f"[{rows}]".encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
