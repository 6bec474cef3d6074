"""Who may do what on the pages, and what browsers are kept from."""

from __future__ import annotations

import re
import socket

import requests
from oidc_provider_mock import User, run_server_in_thread

from tests.support.browser import HOSTILE, TASK, Browser, MakeServed
from tests.support.served import TOKEN, Served


def test_logins_roles_and_actions(make_served: MakeServed, logins: str) -> None:
    served = make_served(f"server:\n  logins:\n{logins}\n")
    with served.listening():
        nobody = Browser(served)
        _check_that_all_is_closed(served)
        assert nobody.page("/?x=1").headers["Location"] == "/login?next=%2F%3Fx%3D1"
        assert nobody.log_in("ann", "wrong-password").status_code == 401
        assert nobody.page("/").status_code == 303

        ann = Browser(served)
        before = ann.csrf("/login")
        assert ann.log_in("ann", "ann-password", "//evil.example").headers["Location"] == "/"
        path = f"/actions/run?task={TASK}&next=//evil.example"
        page = ann.page(path)
        assert '<a class="button" href="/">' in page.text
        assert ann.csrf(path) != before  # a session before the login is none after it
        assert served.rows("select * from meta.agenda") == []  # a page does nothing
        for faulty in ("", "x", before):
            assert ann.submit("/actions/run", csrf=faulty, task=TASK).status_code == 403
        csrf = ann.csrf(path)
        other = {"Origin": "https://evil.example"}
        assert ann.submit("/actions/run", other, csrf=csrf, task=TASK).status_code == 403
        assert (
            ann.submit("/actions/run", csrf=csrf, task=TASK, next="/x").headers["Location"] == "/x"
        )
        assert served.rows("select status, cause from meta.agenda") == [("waiting", "run")]

        bulk = f"/actions/cancel?status=waiting&select={TASK}"
        assert "1 local.staging.after" in ann.page(bulk).text
        fields = {"status": "waiting", "select": TASK, "upto": "1", "csrf": ann.csrf(bulk)}
        assert ann.submit("/actions/cancel", **fields).status_code == 303
        assert "Cancel: 1 local.staging.after" in ann.page("/").text  # said once
        assert "Cancel: 1 local.staging.after" not in ann.page("/").text
        assert ann.submit("/actions/cancel", csrf=csrf, job="99").status_code == 409
        forbidden = ann.submit("/actions/clear-watermark", csrf=csrf, task=TASK)
        assert (forbidden.status_code, "admin" in forbidden.text) == (403, True)

        start = ann.page("/").text
        assert "/actions/pause?next=%2F" in start  # by role, and by the page's address
        missing = ann.page("/tasks/no.such.task")
        assert (missing.status_code, "/actions/" in missing.text) == (404, False)
        ended = ann.page("/jobs?status=cancelled").text  # what has ended cannot be cancelled
        assert ("/actions/retry" in ended, "/actions/cancel" in ended) == (True, False)
        vic = Browser(served)
        vic.log_in("vic", "vic-password")
        assert "/actions/" not in vic.page("/").text
        assert vic.page(path).status_code == 403
        assert vic.submit("/actions/pause", csrf=vic.csrf("/")).status_code == 403

        ada = Browser(served)
        ada.log_in("ada", "ada-password")
        served.rows(
            "insert into meta.watermark (task, source, column_name, kind, value)"
            f" values ('{TASK}', 'after.sql', 'id', 'integer', '7')"
        )
        assert (
            ada.submit("/actions/clear-watermark", csrf=ada.csrf("/"), task=TASK).status_code == 303
        )
        cookies = ada.cookies.copy()
        ada.submit("/logout", csrf=ada.csrf("/"))
        assert ada.page("/").status_code == 303
        assert not any("ada" in str(cookie.value) for cookie in cookies)
        by = served.rows("select distinct data->>'by', data->>'way' from meta.event order by 1, 2")
        assert ("ann", "login") in by
        assert ("ada", "login") in by
        assert "-password" not in served.everything()

        token = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}
        done = requests.post(f"{served.url}/actions/pause", headers=token, timeout=20).json()
        assert done == {"ok": True, "done": 1, "first": ["the warehouse"]}
        (paused,) = served.rows("select value->>'by' from meta.control where name = 'paused'")
        assert re.fullmatch(r"token [0-9a-f]{12} \(token\)", paused[0])


def _check_that_all_is_closed(served: Served) -> None:
    """Each address that the server has, but for those by which one comes in."""
    known = {
        "/health",
        "/healthz",
        "/login",
        "/logout",
        "/docs",
        "/openapi.json",
    }
    described = requests.get(f"{served.url}/openapi.json", timeout=20).json()["paths"]
    for path in {*described, "/", "/metrics", "/actions/run", "/tasks", "/jobs", "/events"} - known:
        filled = re.sub(r"\{name\}", "run", path)
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"X-Remote-User": "ada"}):
            answer = requests.get(served.url + filled, headers=headers, timeout=20)
            assert answer.status_code in (401, 404, 405, 422), path
            posted = requests.post(served.url + filled, headers=headers, timeout=20)
            assert posted.status_code in (401, 404, 405), path


def test_too_many_logins_are_refused(make_served: MakeServed, logins: str) -> None:
    served = make_served(f"server:\n  logins:\n{logins}\n")
    with served.listening():
        browser = Browser(served)
        tries = [browser.log_in("ann", f"wrong-{n}").status_code for n in range(11)]
        assert tries == [401] * 10 + [429]
        assert browser.log_in("ann", "ann-password").status_code == 429
        served.rows("update meta.event set at = at - interval '20 minutes'")
        assert browser.log_in("ann", "ann-password").status_code == 303
    failed = "select distinct message from meta.event where data->'failed_login' is not null"
    assert served.rows(failed) == [("a login failed: ann, from 127.0.0.1",)]


def test_a_proxy_says_who_it_is_and_nobody_else_can(make_served: MakeServed) -> None:
    section = """server:
  url: https://dapu.example
  proxy: {addresses: [127.0.0.1], user_header: X-Remote-User, groups_header: X-Remote-Groups}
  roles: {ann@example.com: operator, "group:data": admin, "*": viewer}
"""
    served = make_served(section)
    with served.listening():
        browser = Browser(served)
        browser.headers["X-Forwarded-Proto"] = "https"
        assert browser.page("/").status_code == 303
        ann = {"X-Remote-User": "ann@example.com"}
        answer = browser.page("/actions/pause", headers=ann)
        assert "ann@example.com" in answer.text
        cookie = answer.headers.get("Set-Cookie", "")
        for part in ("__Host-dapu-", "httponly", "samesite=lax", "secure", "path=/;"):
            assert part in cookie
        assert browser.page("/", headers={"X-Remote-User": "stranger"}).status_code == 200
        for encoding in ("utf-8", "latin-1"):
            named = {"X-Remote-User": "Jörg".encode(encoding)}
            assert ">Jörg</span>" in browser.page("/", headers=named).text
        assert (
            browser.page("/actions/pause", headers={"X-Remote-User": "stranger"}).status_code == 403
        )
        group = {"X-Remote-User": "x", "X-Remote-Groups": "sales, data"}
        page = f"/actions/clear-watermark?task={TASK}"
        assert browser.page(page, headers=group).status_code == 200
        assert "Strict-Transport-Security" in answer.headers
        # The form of one person does not hold for another in the same session, nor does a
        # password that a browser adds by itself make it one of a script.
        _check_forms(browser, ann, group)
    assert not _is_believed(make_served, section.replace("127.0.0.1", "10.0.0.5"))


def _check_forms(browser: Browser, ann: dict[str, str], other: dict[str, str]) -> None:
    page = browser.page("/actions/pause", headers=ann)
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found
    browser.headers["Cookie"] = page.headers["Set-Cookie"].partition(";")[0]  # not over TLS here
    for headers, csrf, status in (
        (other, found[1], 403),
        (ann | {"Authorization": "Basic eDp4"}, "", 403),
        (ann, found[1], 303),
    ):
        assert browser.submit("/actions/pause", headers, csrf=csrf).status_code == status


def _is_believed(make_served: MakeServed, section: str) -> bool:
    served = make_served(section)
    with served.listening():
        return (
            Browser(served).page("/", headers={"X-Remote-User": "ann@example.com"}).status_code
            == 200
        )


def test_without_logins_it_is_open_to_this_machine_alone(make_served: MakeServed) -> None:
    served = make_served("")
    with served.listening({}):
        browser = Browser(served)
        page = browser.page(f"/actions/run?task={TASK}")
        assert page.status_code == 200
        assert "anybody" in page.text
        assert browser.page("/", headers={"Host": "evil.example:3043"}).status_code == 403
        forwarded = {"X-Forwarded-For": "10.0.0.9"}  # by a proxy that lets everybody in
        assert browser.page("/", headers=forwarded).status_code == 403
        crossed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        assert browser.page("/cancel?syncId=a&taskId=b", headers=crossed).status_code == 403
        assert browser.submit("/actions/pause").status_code == 403
        for path, status in (("/static/../api.py", 404), ("/static/%2e%2e%2fframe.py", 404)):
            assert browser.page(path).status_code == status
        policy = page.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Cache-Control"] == "no-store"
        assert "<script>alert" not in page.text
        shouted = browser.page(f"/actions/run?task={HOSTILE}").text
        assert "<img" not in shouted
        assert "clear-watermark" in browser.page("/openapi.json").text
        assert "POST /actions/{name}" in browser.page("/docs").text
        assert browser.page("/healthz", headers={"Accept": "*/*"}).json() == {"status": "pass"}
        long = browser.post(f"{served.url}/actions/run", b"a=" + b"b" * 70_000, timeout=20)
        assert long.status_code == 413


def test_a_provider_of_openid_connect_says_who_it_is(make_served: MakeServed) -> None:
    users = [
        User(
            sub="1", claims={"email": "ann@example.com", "email_verified": True, "groups": ["data"]}
        ),
        User(sub="2", claims={"email": "ann@example.com", "email_verified": False}),
        User(sub="3", claims={"email": "bob@example.com", "email_verified": True}),
    ]
    with run_server_in_thread(user_claims=users) as provider:
        issuer = f"http://127.0.0.1:{provider.server_port}"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
        served = make_served(f"""server:
  url: {url}
  oidc: {{issuer: "{issuer}", client_id: dapu, client_secret: of-the-test-1}}
  roles: {{"group:data": operator}}
""")
        with served.listening(port=int(url.rpartition(":")[2])):
            assert "/login/oidc?next=%2Fjobs" in Browser(served).page("/login?next=/jobs").text
            ann = Browser(served)
            assert _come_back(ann, "1", "/jobs").headers["Location"] == "/jobs"
            assert "ann@example.com" in ann.page("/actions/pause").text
            assert ann.page(f"/actions/clear-watermark?task={TASK}").status_code == 403
            assert _come_back(Browser(served), "2").status_code == 401  # anybody's address
            assert _come_back(Browser(served), "3").status_code == 403
            other = Browser(served)  # whom another lets come back with the other's login
            sent = Browser(served).page("/login/oidc").headers["Location"]
            assert other.get(_consent(sent, "1"), allow_redirects=False).status_code == 401


def _come_back(browser: Browser, sub: str, then: str = "/") -> requests.Response:
    sent = browser.page(f"/login/oidc?next={then}").headers["Location"]
    assert "code_challenge_method=S256" in sent
    return browser.get(_consent(sent, sub), allow_redirects=False, timeout=20)


def _consent(address: str, sub: str) -> str:
    """Where the provider sends a person who says yes."""
    done = requests.post(address, {"sub": sub}, allow_redirects=False, timeout=20)
    return done.headers["Location"]
