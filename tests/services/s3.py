"""A private S3 server: moto's, which speaks the API over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class S3:
    """A running server, and a client of it."""

    url: str
    client: Any
    key: str = "AKIAdapu"
    secret: str = "s3cret-of-the-tests"

    def make_bucket(self, name: str) -> str:
        """Makes a bucket and returns its name."""
        self.client.create_bucket(Bucket=name)
        return name

    def put(self, bucket: str, key: str, body: bytes) -> None:
        """Writes an object."""
        self.client.put_object(Bucket=bucket, Key=key, Body=body)

    def keys(self, bucket: str) -> list[str]:
        """The names of all objects of a bucket."""
        listed = self.client.list_objects_v2(Bucket=bucket)
        return [entry["Key"] for entry in listed.get("Contents", [])]

    def get(self, bucket: str, key: str) -> bytes:
        """Reads an object."""
        content: bytes = self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content


@contextmanager
def running_s3() -> Iterator[S3]:
    """Starts a server on a free port of loopback and yields it; stops it at the end."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=S3.key,
            aws_secret_access_key=S3.secret,
        )
        yield S3(url, client)
    finally:
        server.stop()
