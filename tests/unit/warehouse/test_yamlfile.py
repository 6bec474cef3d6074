"""YAML files into models: what is wrong is told with its line, for a person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dapu.agents.installed import known_agents
from dapu.definitions.models import task_model
from dapu.errors import FaultyFile
from dapu.suggest import nearest
from dapu.warehouse.settings import Settings
from dapu.warehouse.yamlfile import Document, as_yaml, read_document, validate

FILE = Path("task.yaml")
TASK = task_model(tuple(agent.options for agent in known_agents(Settings()).values()))


def parse(text: str) -> Any:
    return Document(FILE, text).parse()


def faults(text: str) -> list[str]:
    document = Document(FILE, text)
    with pytest.raises(FaultyFile) as caught:
        validate(TASK, document.parse(), [document])
    return [str(fault).removeprefix("task.yaml:") for fault in caught.value.faults]


def fault(text: str) -> str:
    [only] = faults(text)
    return only


def with_action(text: str) -> str:
    return f"{text}\nactions: [{{do: sql, file: a.sql}}]\n"


@pytest.mark.parametrize(("text", "message"), [
    ("a: 1\nb: [1, 2\nc: 3", "3: YAML: did not find expected ',' or ']'"),
    ("a: 1\n\tb: 2", "2: YAML: found a tab character that violates indentation; "
     "the line begins with a tab: indent with spaces"),
    ("a:\n\t- b: 2", "2: YAML: found character that cannot start any token; "
     "the line begins with a tab: indent with spaces"),
    ("a: b: c", "1: YAML: mapping values are not allowed in this context"),
    ("a: 1\nb: 2\na: 3", "3: YAML: the key `a` is given twice"),
    ("run:\n  pause: 1 h\n  pause: 2 h", "3: YAML: the key `pause` is given twice"),
    ("a: *x", "1: YAML: found undefined alias"),
    ("query: {{ name }}", "1: YAML: found unhashable key"),
    ("a: !!python/object:os.system x",
     "1: YAML: a value that begins with `!` must stand in quotes"),
])  # fmt: skip
def test_a_syntax_error_has_its_line(text: str, message: str) -> None:
    with pytest.raises(FaultyFile) as caught:
        parse(text)
    assert str(caught.value) == f"task.yaml:{message}"


@pytest.mark.parametrize("text", ["no", "off", "y", "12:30", "2024-01-01", "0123", "0x1F", "1_000"])
def test_a_plain_word_stays_the_text_that_it_is(text: str) -> None:
    assert parse(f"a: {text}") == {"a": text}


@pytest.mark.parametrize(("text", "value"), [
    ("true", True), ("False", False), ("~", None), ("", None), ("null", None),
    ("12", 12), ("-3", -3), ("0", 0), ("12345678901234567890", 12345678901234567890),
    ("1.5", 1.5), ("-.5", -0.5), ("1e3", 1000.0), (".inf", float("inf")),
])  # fmt: skip
def test_what_is_plainly_a_number_or_a_truth_value_is_one(text: str, value: Any) -> None:
    assert parse(f"a: {text}") == {"a": value}
    assert type(parse(f"a: {text}")["a"]) is type(value)


def test_a_file_that_is_not_there_or_no_text_says_so(tmp_path: Path) -> None:
    with pytest.raises(FaultyFile, match=r"a.yaml:1: cannot be read: No such file or directory"):
        read_document(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").write_bytes(b"a: \xe4\n")
    with pytest.raises(FaultyFile, match=r"b.yaml:1: is not UTF-8 text; save it as UTF-8"):
        read_document(tmp_path / "b.yaml")


def test_a_byte_order_mark_is_not_part_of_the_first_key(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfname: x\n")
    assert read_document(tmp_path / "a.yaml").parse() == {"name": "x"}


@pytest.mark.parametrize(("text", "message"), [
    ("acions: []", "1: unknown key `acions`; did you mean `actions`?"),
    (with_action("run:\n  pauze: 1 h"), "2: run: unknown key `pauze`; did you mean `pause`?"),
    ("actions:\n  - do: database\n    query: a.sql\n    lod: append",
     "4: actions[1]: unknown key `lod`; did you mean `load`?"),
    ("actions:\n  - do: sql\n    file: a.sql\n  - do: database\n    query: a.sql\n"
     "    watermark:\n      colum: x\n      column: y",
     "7: actions[2].watermark: unknown key `colum`; did you mean `column`?"),
])  # fmt: skip
def test_an_unknown_key_is_reported_with_the_nearest_known_one(text: str, message: str) -> None:
    assert message in faults(text)


@pytest.mark.parametrize(("text", "message"), [
    ("description: x", "1: the key `actions` is missing"),
    ("actions:\n  - do: sql", "2: actions[1]: the key `file` is missing"),
    ("actions: []", "1: actions: needs at least 1"),
    (with_action("run: 5"), "1: run: must be a mapping of keys to values, not 5"),
    (with_action("depends: a.b.c"), "1: depends: must be a list, not 'a.b.c'"),
    (with_action("depends:\n  - a.b.c\n  - 5"),
     "3: depends[2]: must be text, not 5; put it in quotes"),
    (with_action("status: actve"),
     "1: status: must be 'active', 'draft' or 'old', not 'actve'"),
    (with_action("run: {retries: many}"), "1: run.retries: must be a whole number, not 'many'"),
    (with_action("run:\n  priority: 0"), "2: run.priority: must be 1 or more, not 0"),
    (with_action("run: {pause: soon}"),
     "1: run.pause: 'soon' is not a length of time; write, for example, `4 hours`"),
    (with_action("run: {cron: 5 minutes}"),
     "1: run.cron: '5 minutes' is not a cron expression (Wrong number of fields); "
     "write, for example, `15 6 * * 1-5`"),
    (with_action("run: {cron: '0 0 30 2 *'}"),
     "1: run.cron: '0 0 30 2 *' is not a cron expression (Bad day-of-month); "
     "write, for example, `15 6 * * 1-5`"),
    (with_action("run:\n  when: morning\n  cron: 0 0 * * *"),
     "1: run: give either `when` or `cron`, not both"),
    (with_action("run: {when: 5}"), "1: run.when: must be a list or text, not 5"),
    (with_action("checks:\n  - unique: [a]\n    sql: b.sql"),
     "2: checks[1]: a check is one of `unique`, `not_null`, `accepted_values`, "
         "`relationships`, `expression`, `row_count`, `fresh_within` and `sql`"),
    ("- a list", "1: must be a mapping of keys to values, not a list"),
])  # fmt: skip
def test_a_wrong_value_is_reported_in_words_with_the_value(text: str, message: str) -> None:
    assert fault(text) == message


def test_an_unknown_agent_is_reported_with_the_nearest_known_one() -> None:
    assert fault("actions:\n  - do: databse") == (
        "2: actions[1]: unknown `do: databse`; did you mean `database`?"
    )
    assert fault("actions:\n  - query: a.sql").startswith("2: actions[1]: needs `do:`; known are:")


def test_all_faults_of_a_file_are_reported_at_once_in_their_order() -> None:
    text = "stats: x\nrun:\n  pause: soon\n  retries: -1\nactions:\n  - do: sql\n    files: a.sql\n"
    assert [one.partition(":")[0] for one in faults(text)] == ["1", "3", "4", "6", "7"]


def test_an_option_may_have_the_name_of_its_agent() -> None:
    from typing import Literal

    from dapu.definitions.models import ActionOptions

    class File(ActionOptions):
        do: Literal["file"]
        file: int

    class Other(ActionOptions):
        do: Literal["other"]

    document = Document(FILE, "actions:\n  - do: file\n    file: x\n")
    with pytest.raises(FaultyFile, match=r"task.yaml:3: actions\[1\].file: must be a whole number"):
        validate(task_model((File, Other)), document.parse(), [document])


def test_the_nearest_word_or_a_short_list_is_offered() -> None:
    assert nearest("regstrar", ["registrar", "manager"]) == "; did you mean `registrar`?"
    assert nearest("x", ["b", "a"]) == "; known are: a, b"
    assert nearest("x", []) == ""
    assert nearest("x", [f"task{number}" for number in range(1000)]) == ""


_LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
_MERGED = _LAUGHS.replace("[", "{<<: [").replace("]", "]}").replace("x", "{}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x: 1\ny: &a\n  b: *a\n", "task.yaml:2: .*holds itself"),
        ("x: &a [1, [*a]]\n", "task.yaml:1: .*holds itself"),
        ("x: &a {b: &c {d: *a}}\n", "task.yaml:1: .*holds itself"),
        (_LAUGHS, "task.yaml:7: .*more than 1,000,000 values"),
        (_MERGED, "task.yaml:7: .*more than 1,000,000 values"),
        ("[" * 100_000, "task.yaml:1: .*nest"),
    ],
)  # fmt: skip
def test_anchors_that_hold_themselves_or_stand_for_too_much_are_reported(
    text: str, said: str
) -> None:
    with pytest.raises(FaultyFile, match=said):
        parse(text)


def test_anchors_spare_what_is_written_twice() -> None:
    assert parse("a: &a {b: 1}\nc: {<<: *a, d: 2}\ne: [*a, *a]") == {
        "a": {"b": 1},
        "c": {"b": 1, "d": 2},
        "e": [{"b": 1}, {"b": 1}],
    }


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.5", "12e03", "53e6", "yes", "no", "null", "~", "2024-01-01", "12:30", "0123",
     "a: b", "- a", "#x", "'", '"', "a\nb", "{{ x }}", "…", " a ", "<<", ".inf", "true",
     "@", "`", "%", "!x"],
)  # fmt: skip
@pytest.mark.parametrize("on_one_line", [True, False])
def test_what_is_written_reads_back_as_the_same(
    tmp_path: Path, text: str, on_one_line: bool
) -> None:
    value = {"text": text, "list": [text, 1, None, True], "mapping": {"deep": {text or "k": text}}}
    path = tmp_path / "x.yaml"
    path.write_text(as_yaml(value, on_one_line=on_one_line))
    assert read_document(path).parse() == value
    path.write_text(f"key: {as_yaml(text, on_one_line=True)}\n")
    assert read_document(path).parse() == {"key": text}
