"""HTTPS: which servers are trusted, and how an answer without a length shows that it is whole."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dapu.errors import ConfigurationError, JobError
from dapu.execute.client import ExecuteClient
from dapu.sources.files.places.servers import open_file_system
from dapu.sources.http.messages import Request
from dapu.sources.http.session import HttpSession
from dapu.tls import bundle, client_context
from dapu.warehouse.connection_kinds import FilesConnection, RestConnection
from tests.services.tls import BODY, TlsServer, running_tls

VARIABLES = ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    with running_tls(tmp_path_factory.mktemp("tls")) as running:
        yield running


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*VARIABLES, "AWS_CA_BUNDLE"]:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def trusting(server: TlsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(server.authority))


def _rest(url: str) -> bytes:
    given = {"name": "x", "driver": "rest", "url": url, "retries": 0}
    body = io.BytesIO()
    session = HttpSession(RestConnection.model_validate(given), lambda text: None)
    session.send(Request(url), body)
    return body.getvalue()


def _execute(url: str) -> bytes:
    client = ExecuteClient(url, "key", "secret")
    with client._get("", {}, calculated=False) as response:
        return b"".join(client._blocks(response))


def _system(path: str, **extra: Any) -> Any:
    keys = {"name": "x", "driver": "files", "path": path, "extra": extra}
    return open_file_system(FilesConnection.model_validate(keys))


def _files(url: str) -> bytes:
    content: bytes = _system(url.rpartition("/")[0]).cat_file(url)
    return content


def _s3(url: str) -> bytes:
    endpoint = {"endpoint_url": url.rpartition("/")[0], "region_name": "eu-north-1"}
    once = {"retries": {"total_max_attempts": 1}}
    system = _system("s3://b", client_kwargs=endpoint, config_kwargs=once, key="k", secret="s")
    assert not system.exists("b/a")
    return BODY


ASKED = {"rest": _rest, "execute": _execute, "files": _files, "s3": _s3}


@pytest.mark.parametrize("kind", ASKED)
@pytest.mark.parametrize("name", VARIABLES)
def test_an_authority_of_a_company_is_trusted(
    server: TlsServer, monkeypatch: pytest.MonkeyPatch, kind: str, name: str
) -> None:
    value = server.folder if name.endswith("DIR") else server.authority
    monkeypatch.setenv(name, str(value))
    assert ASKED[kind](f"{server.url}/length") == BODY


@pytest.mark.parametrize("kind", ASKED)
def test_an_authority_that_nobody_knows_is_not(
    server: TlsServer, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("dapu.execute.client._RETRIES", 0)
    with pytest.raises(Exception, match=r"(?i)certificate|ssl"):
        ASKED[kind](f"{server.url}/length")


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize("kind", ["rest", "execute"])
def test_an_answer_without_a_length_is_whole_when_tls_says_so(server: TlsServer, kind: str) -> None:
    assert ASKED[kind](f"{server.url}/whole") == BODY
    with pytest.raises(JobError, match=r"broke off|cut short"):
        ASKED[kind](f"{server.url}/cut")


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize("path", ["whole", "cut"])
def test_a_file_without_a_length_is_refused(server: TlsServer, path: str) -> None:
    with pytest.raises(JobError, match="does not say how long it is"):
        _files(f"{server.url}/{path}")


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_that_names_nothing_is_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv(name, str(tmp_path / "no.pem"))
    with pytest.raises(ConfigurationError, match=f"{name} names .*no.pem"):
        client_context()


def test_the_file_for_drivers_that_want_one(
    server: TlsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_machine = bundle()
    assert of_machine is None or Path(of_machine).is_file()
    monkeypatch.setenv("SSL_CERT_FILE", str(server.authority))
    assert bundle() == os.environ["SSL_CERT_FILE"]


def test_the_authorities_of_a_folder_become_a_file(
    server: TlsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "company.pem").write_bytes(server.authority.read_bytes())
    (tmp_path / "0a1b2c3d.0").symlink_to("company.pem")  # as `openssl rehash` makes them
    (tmp_path / "README").write_text("who to ask")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    file = bundle()
    assert file is not None
    assert Path(file).read_bytes() == server.authority.read_bytes()
