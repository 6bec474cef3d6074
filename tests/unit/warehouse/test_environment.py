"""`${NAME}` in files: from the environment, or from .env beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dapu.errors import FaultyFile
from dapu.secrets import redact
from dapu.warehouse.environment import fill_in, fill_in_text, read_environment
from dapu.warehouse.yamlfile import Document

FILE = Path("connections.yaml")


def fill(text: str, **environment: str) -> object:
    document = Document(FILE, text)
    return fill_in(document.parse(), environment, document)


def test_a_name_is_replaced_wherever_it_stands() -> None:
    assert fill("- {a: '${X}', b: ['<${X}${Y}>'], c: 5}", X="1", Y="") == [
        {"a": "1", "b": ["<1>"], "c": 5}
    ]


def test_a_default_stands_for_a_name_that_is_not_set_or_empty() -> None:
    assert fill("a: ${X:-5432}") == {"a": "5432"}
    assert fill("a: ${X:-5432}", X="") == {"a": "5432"}
    assert fill("a: ${X:-}") == {"a": ""}
    assert fill("a: ${X}", X="") == {"a": ""}


def test_every_missing_name_is_reported_with_its_file_and_line() -> None:
    text = "- name: main\n  host: ${DAPU_HOST}\n  user: x\n  password: ${DAPU_PWD}\n"
    with pytest.raises(FaultyFile) as caught:
        fill(text, DAPU_HOSTS="x")
    assert str(caught.value).splitlines() == [
        "connections.yaml:2: the environment has no DAPU_HOST (did you mean DAPU_HOSTS?); "
        "set it, or write it into .env beside this file",
        "connections.yaml:4: the environment has no DAPU_PWD; "
        "set it, or write it into .env beside this file",
    ]


def test_the_line_is_right_where_the_value_stands_twice_or_over_lines() -> None:
    text = "a: fine ${X:-}\nb: >-\n  long\n  ${MISSING}\nc: ${MISSING}\n"
    with pytest.raises(FaultyFile) as caught:
        fill(text)
    assert [fault.line for fault in caught.value.faults] == [2, 5]


AWKWARD = "p@s:s/w%#?&'\"\\ {}[]ü$X ${Y} \u2028end: #x"


def test_a_password_may_hold_any_character() -> None:
    assert fill("password: ${PWD}", PWD=AWKWARD) == {"password": AWKWARD}


def test_in_the_user_part_of_a_url_it_is_percent_encoded() -> None:
    from sqlalchemy.engine import make_url

    filled = fill("url: mysql+pymysql://${U}:${P}@${H}:3306/erp", U="me@x", P=AWKWARD, H="erp-db")
    assert isinstance(filled, dict)
    url = make_url(filled["url"])
    assert (url.username, url.password, url.host, url.port) == ("me@x", AWKWARD, "erp-db", 3306)
    assert fill("url: ${URL}", URL="sqlite:///a b.db") == {"url": "sqlite:///a b.db"}
    assert fill("url: http://${H}/a@b?c=${V}", H="h:1", V="x@y") == {"url": "http://h:1/a@b?c=x@y"}


def test_the_environment_comes_before_the_file_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAPU_TEST_A", "from the environment")
    (tmp_path / ".env").write_text(
        "# a comment\n\nDAPU_TEST_A=from the file\nexport DAPU_TEST_B = 'quoted # text'\n"
        'DAPU_TEST_C=a#b # comment\nDAPU_TEST_D="x=y"\nDAPU_TEST_E=\n'
    )
    environment = read_environment(tmp_path)
    assert environment["DAPU_TEST_A"] == "from the environment"
    assert environment["DAPU_TEST_B"] == "quoted # text"
    assert environment["DAPU_TEST_C"] == "a#b"
    assert environment["DAPU_TEST_D"] == "x=y"
    assert environment["DAPU_TEST_E"] == ""


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('"./x.sqlite" # here', "./x.sqlite"),
        ("'a # b'\t# it's a comment", "a # b"),
        ('"a"b"  ', 'a"b'),
        ('"a', '"a'),
        ('"it\'s"', "it's"),
        ("a\t# comment", "a"),
        (" # nothing but a comment", ""),
        ("#fff", "#fff"),
        ('""', ""),
        ('"', '"'),
    ],
)
def test_quotes_and_comments_are_no_part_of_a_value(
    tmp_path: Path, written: str, value: str
) -> None:
    (tmp_path / ".env").write_text(f"DAPU_TEST_A={written}\n")
    assert read_environment(tmp_path)["DAPU_TEST_A"] == value


def test_a_line_of_the_file_beside_that_is_not_a_setting_is_reported(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nwhat is this\n")
    with pytest.raises(FaultyFile, match=r"\.env:2: is not NAME=value"):
        read_environment(tmp_path)


def test_a_plain_file_is_filled_line_by_line() -> None:
    text = "- name: main\n  host: ${H}  # where\n  port: ${P:-5432}\n"
    assert fill_in_text(text, {"H": "db"}, FILE) == (
        "- name: main\n  host: db  # where\n  port: 5432\n"
    )
    with pytest.raises(FaultyFile, match=r"connections.yaml:2: the environment has no H; "):
        fill_in_text(text, {}, FILE)


PLAIN, QUOTED = "- a: 1\n  password: ${P}\n", "- a: 1\n  password: '${P}'\n"
MISREAD = r"connections.yaml:\d: what is filled in here would be read as something else; put it"


@pytest.mark.parametrize("value", ["s3cret", "a b", "0123", "1.5", "true", "it's", "p#w", ""])
def test_a_filled_yaml_file_says_what_was_filled_in(value: str) -> None:
    [entry] = Document(FILE, fill_in_text(PLAIN, {"P": value}, FILE)).parse()
    shown = "" if entry["password"] is None else str(entry["password"])
    assert shown.lower() == value


@pytest.mark.parametrize("value", ["x: y", "end #x", "&a", "[1", "@x", "- a: b", "'", '"'])
def test_what_yaml_would_misread_is_refused(value: str) -> None:
    with pytest.raises(FaultyFile, match=MISREAD):
        fill_in_text(PLAIN, {"P": value}, FILE)


def test_quotes_help_unless_the_value_has_them_too() -> None:
    [entry] = Document(FILE, fill_in_text(QUOTED, {"P": "a: b #x"}, FILE)).parse()
    assert entry["password"] == "a: b #x"
    with pytest.raises(FaultyFile, match=MISREAD):
        fill_in_text(QUOTED, {"P": "it's"}, FILE)


def test_another_file_is_filled_as_it_is() -> None:
    assert fill_in_text("x=${P}", {"P": "a #b: c"}, Path("settings.ini")) == "x=a #b: c"


def test_a_secret_may_stand_in_a_file_or_be_printed_by_a_command(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("from a file\n")
    path = tmp_path / "connections.yaml"
    text = """
        a: ${file:pw}
        b: ${cmd:printf 'from %s' a-command}
        url: mysql://u:${cmd:echo 'p@ss word!'}@host/x
        """
    document = Document(path, text)
    assert fill_in(document.parse(), {}, document) == {
        "a": "from a file",
        "b": "from a-command",
        "url": "mysql://u:p%40ss%20word%21@host/x",
    }
    shown = "from a file, from a-command, p@ss word!, p%40ss%20word%21"
    assert redact(shown) == "***, ***, ***, ***"
    # `file` and `cmd` are names too, where they have a default.
    assert fill("a: ${file:-x}${cmd}", cmd="y") == {"a": "xy"}
    (tmp_path / ".env").write_text("A=${file:pw}\nB='${file:pw}'\n")
    found = read_environment(tmp_path)
    assert (found["A"], found["B"]) == ("from a file", "${file:pw}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("${file:none}", "cannot be read: No such file"),
        ("${file:empty}", "gives nothing"),
        ("${file:bytes}", "not give UTF-8"),
        ("${file:}", "names no file"),
        ("${cmd: }", "names no command"),
        ("${cmd:no-such-program x}", "`no-such-program x` cannot be run"),
        ("${cmd:sh -c 'echo hidden-1; echo not found >&2; exit 3'}", "status 3: not found"),
        ("${cmd:sleep 9}", "took longer than 0.1 seconds"),
        ("${cmd:head -c 2000000 /dev/zero}", "more than 1,048,576 bytes"),
        ("${cmd:sh -c 'sleep 3 & echo x'}", "took longer than 0.1 seconds"),
        ("${cmd:pass 'show}", "not a command line"),
        ("${cmd:awk '{print}' x}", "cannot have a `}`"),
        ("${file:zero}", "bytes that are zero"),
        ("${cmd:echo ${HOME}}", "cannot have `${`"),
        ("${file:${HOME}/pw}", "cannot have `${`"),
        ("${P:-${file:pw}}", "the default of P cannot have `${`"),
        ("${env:HOME}", "`${env:…}` is none of"),
    ],
)
def test_what_is_wrong_with_a_secret_is_said_with_its_line_and_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    if "sleep" in text:
        monkeypatch.setattr("dapu.warehouse.external_secrets.PATIENCE", 0.1)
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "zero").write_bytes(b"hidden-2\0")
    path = tmp_path / "connections.yaml"
    document = Document(path, f'a: 1\npassword: "{text}"\n')
    with pytest.raises(FaultyFile) as caught:
        fill_in(document.parse(), {}, document)
    [fault] = caught.value.faults
    assert (fault.line, words in fault.message) == (2, True), fault.message
    assert "hidden-1" not in fault.message.replace(text, "").replace(text[6:-1], "")


def test_a_command_that_fails_is_not_run_again(tmp_path: Path) -> None:
    document = Document(tmp_path / "connections.yaml", "a: ${cmd:sh -c 'echo >>runs; exit 1'}\n")
    for _ in range(2):
        with pytest.raises(FaultyFile, match="status 1"):
            fill_in(document.parse(), {}, document)
    assert (tmp_path / "runs").read_text() == "\n"


def test_a_mark_of_the_encoding_is_no_part_of_a_secret(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("hidden-3\r\n", encoding="utf-8-sig", newline="")
    document = Document(tmp_path / "connections.yaml", "a: ${file:pw}\n")
    assert fill_in(document.parse(), {}, document) == {"a": "hidden-3"}


def test_what_is_a_shell_s_stays_as_it_is() -> None:
    assert fill('a: "${X:1:2} ${X:?} ${X:+y}"') == {"a": "${X:1:2} ${X:?} ${X:+y}"}
