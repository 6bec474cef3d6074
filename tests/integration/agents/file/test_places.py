"""Files on S3, SFTP and HTTPS servers: real ones, which the tests start."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

from tests.services.https_files import HttpsFiles
from tests.services.misbehaving_http import MisbehavingServer, Reply
from tests.services.s3 import S3
from tests.services.ssh import Ssh
from tests.support.file_task import Share
from tests.support.one_task import OneTask

READ = "do: file\nfile: 'in/*.csv'\nload: append"
EXPECTED = [(1, "in/a.csv"), (2, "in/b.csv")]


def rows(task: OneTask) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = task.rows("select n, _file from staging.thing order by 1")
    return found


def on_s3(server: S3, bucket: str, **more: str) -> str:
    extra = f"{{endpoint_url: '{server.url}', client_kwargs: {{region_name: us-east-1}}}}"
    keys = {"username": server.key, "password": server.secret, **more}
    text = "".join(f"{key}: '{value}'\n" for key, value in keys.items())
    return f"driver: files\npath: s3://{bucket}/deep\n{text}extra: {extra}"


def test_objects_of_s3_are_read_once(task: OneTask, s3_server: S3) -> None:
    bucket = s3_server.make_bucket("inbox")
    s3_server.put(bucket, "deep/in/a.csv", b"n\n1\n")
    s3_server.put(bucket, "deep/in/b.csv", b"n\n2\n")
    s3_server.put(bucket, "deep/in/c.txt", b"no\n")
    task.has(on_s3(s3_server, bucket), READ)
    assert "2 rows" in task.run()
    assert rows(task) == EXPECTED
    assert "unchanged" in task.run()
    s3_server.put(bucket, "deep/in/a.csv", b"n\n10\n")
    assert "1 row" in task.run()
    assert rows(task) == [(2, "in/b.csv"), (10, "in/a.csv")]


def test_an_s3_server_that_refuses_is_reported(task: OneTask, s3_server: S3) -> None:
    task.has(on_s3(s3_server, "no-such-bucket"), READ)
    said = task.fails()
    assert "cannot look for in/*.csv in `source` (s3://no-such-bucket/deep): Not Found" in said
    task.has(on_s3(s3_server, s3_server.make_bucket("empty")), READ)
    assert "unchanged" in task.run()
    gone = on_s3(s3_server, "gone").replace(s3_server.url, "http://127.0.0.1:9")
    gone = gone.replace("{endpoint", "{config_kwargs: {retries: {total_max_attempts: 1}}, endpoint")
    task.has(gone, READ)
    said = task.fails()
    assert "cannot look for in/*.csv in `source` (s3://gone/deep): Could not connect" in said
    assert s3_server.secret not in said


def on_ssh(server: Ssh, key: Path | None = None, hosts: Path | None = None) -> str:
    extra = (
        f"{{client_keys: ['{key or server.key}'], known_hosts: '{hosts or server.known_hosts}'}}"
    )
    return f"driver: files\npath: {server.url}\nusername: {server.username}\nextra: {extra}"


def test_files_of_an_sftp_server_are_read_once(task: OneTask, ssh_server: Ssh) -> None:
    share = Share(ssh_server.folder)
    share.put("in/a.csv", "n\n1\n")
    share.put("in/b.csv", "n\n2\n")
    task.has(on_ssh(ssh_server), READ)
    assert "2 rows" in task.run()
    assert rows(task) == EXPECTED
    assert "unchanged" in task.run()
    share.put("in/.~lock.b.csv#", ",juhan,desk;")
    share.put("in/b.csv", "n\n20\n", hours_ago=0.5)
    assert "in/b.csv in `source`" in (said := task.fails())
    assert "is open in its editor by juhan" in said
    (ssh_server.folder / "in/.~lock.b.csv#").unlink()
    assert "1 row" in task.run()
    assert rows(task) == [(1, "in/a.csv"), (20, "in/b.csv")]


def test_an_sftp_server_that_is_not_known_or_knows_nobody_is_reported(
    task: OneTask, ssh_server: Ssh, tmp_path: Path
) -> None:
    (tmp_path / "none").write_text("")
    task.has(on_ssh(ssh_server, hosts=tmp_path / "none"), READ)
    said = task.fails()
    assert "the connection `source`" in said
    assert "Host key is not trusted" in said
    task.has(on_ssh(ssh_server, key=ssh_server.key.with_name("stranger")), READ)
    assert "Permission denied" in task.fails()
    task.has(on_ssh(ssh_server), "do: file\nfile: none.csv")
    assert "there is no file none.csv in `source` (sftp://127.0.0.1" in task.fails()


def on_https(server: HttpsFiles, password: str | None = None) -> str:
    keys = f"username: {server.username}\npassword: '{password or server.password}'"
    return f"driver: files\npath: {server.url}\n{keys}"


def test_files_of_an_https_server_are_read_once(
    task: OneTask, https_files: HttpsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = Share(https_files.folder)
    share.put("in/a.csv", "n\n1\n")
    share.put("in/b.csv", "n\n2\n")
    task.has(on_https(https_files), READ)
    assert "certificate verify failed" in task.fails()
    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(https_files.certificate))
    assert "2 rows" in task.run()
    assert rows(task) == EXPECTED
    assert "unchanged" in task.run()
    share.put("in/a.csv", "n\n10\n", hours_ago=0.5)
    assert "1 row" in task.run()
    task.has(on_https(https_files, "wrong"), READ)
    assert "401" in task.fails()
    task.has(on_https(https_files), "do: file\nfile: in/none.csv")
    assert "there is no file in/none.csv in `source`" in task.fails()


def test_a_body_that_is_cut_off_is_not_a_file(task: OneTask, server: MisbehavingServer) -> None:
    server.on("/a.csv", Reply("n\n1\n2\n", missing=4))
    task.has(f"driver: files\npath: {server.url}", "do: file\nfile: a.csv")
    assert "cannot fetch a.csv in `source`" in task.fails()
    assert not task.has_table()
    server.on("/a.csv", Reply("n\n1\n"))
    assert "1 row" in task.run()
    assert "unchanged" in task.run()  # it is fetched, since the server says nothing of its state


@pytest.mark.parametrize(
    ("connection", "message"),
    [
        ("driver: files\npath: ftp://host/x", "ftp:// is unknown; give a folder, s3://"),
        ("driver: files\npath: sftp://a:b@host/x", "give `username` and `password` as keys of"),
    ],
)
def test_faulty_places_are_reported(task: OneTask, connection: str, message: str) -> None:
    task.has(connection, READ)
    with pytest.raises(Exception, match=message):
        task.run()
    task.has("driver: pg\ndatabase: x", READ)
    assert (
        "the connection `source` is not a folder of files; it needs `driver: files`" in task.fails()
    )


def test_links_that_lead_out_of_the_folder_are_followed_where_it_is_allowed(
    task: OneTask, tmp_path: Path
) -> None:
    share, secret = Share(tmp_path / "share"), Share(tmp_path / "elsewhere")
    outside = secret.put("secret.csv", "n\n7\n")
    inside = share.put("in/a.csv", "n\n1\n")
    (share.path / "in/link.csv").symlink_to(inside)
    (share.path / "out.csv").symlink_to(outside)
    (share.path / "folder").symlink_to(secret.path)
    connection = f"driver: files\npath: {share.path}"
    for file in ("out.csv", "o*.csv", "folder/secret.csv", "folder/*.csv"):
        task.has(connection, f"do: file\nfile: '{file}'")
        said = task.fails()
        assert "is a link that leads out of it" in said
        assert "follow_links: true" in said
        assert not task.has_table()
    task.has(connection, "do: file\nfile: in/link.csv\norigin: false")
    assert "1 row" in task.run()
    task.has(f"{connection}\nfollow_links: true", "do: file\nfile: '[of]*.csv'\norigin: false")
    assert "1 row" in task.run()
    assert task.rows() == [(7,)]


@pytest.mark.parametrize("file", ["a.csv", "*.csv"])
@pytest.mark.parametrize(
    "path",
    [
        "path: http://127.0.0.1:{port}/x",
        "path: s3://bucket/x\nusername: a\npassword: b\nextra: {{config_kwargs: {{retries: "
        "{{total_max_attempts: 1}}}}, endpoint_url: 'http://127.0.0.1:{port}'}}",
        "path: sftp://127.0.0.1:{port}/x\nusername: a\npassword: b",
    ],
)
def test_a_server_that_refuses_the_connection_is_not_without_the_file(
    task: OneTask, path: str, file: str
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens
        task.has(
            f"driver: files\n{path.format(port=closed.getsockname()[1])}",
            f"do: file\nfile: '{file}'",
        )
        said = task.fails()
    assert "no file" not in said
    assert re.search("connect|refused", said, re.IGNORECASE)


def test_a_server_that_fails_is_not_without_the_file(
    task: OneTask, server: MisbehavingServer
) -> None:
    server.on("/a.csv", Reply("no", status=503))
    task.has(f"driver: files\npath: {server.url}", "do: file\nfile: a.csv")
    said = task.fails()
    assert "503" in said
    assert "no file" not in said
