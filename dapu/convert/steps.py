"""Versions: `ver/` of a project and of its tables, as numbered files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from dapu.convert.old_project import Leftovers, OldProject, as_list, as_mapping, read_old
from dapu.convert.sql_text import Pasted, Unsayable, as_raw, converted_step
from dapu.definitions.script import split, transaction_faults
from dapu.errors import Fault
from dapu.warehouse.yamlfile import read_text

_NUMBER = re.compile(r"v?\d+_")
_OF_A_TABLE = re.compile(r"(\d+)(?:_(.*))?\.sql")


def convert_project_steps(old: OldProject, owner: str, left: Leftovers) -> dict[str, str]:
    """The files that ver/changes.yaml lists, numbered in its order: `001_roles.sql`.

    owner: the user name of the target, which dapu 0.8 put for `{owner}`.
    """
    index = read_old(old.folder / "ver" / "changes.yaml")
    listed = [as_mapping(one).get("file") for one in as_list(index.keys.get("files"))]
    files = list(dict.fromkeys(str(name) for name in listed if name))
    names = _without_numbers(files)
    pasted = {
        "{schema}": str(old.setting("DAPU_SCHEMA")),
        "{prefix}": str(old.setting("DAPU_PREFIX")),
        "{owner}": owner,
    }
    found = {}
    for number, (file, name) in enumerate(zip(files, names, strict=True), start=1):
        path = old.folder / "ver" / file
        if not path.is_file():
            left.add(index.fault(f"there is no file {file}", "files", number - 1))
            continue
        text = read_text(path)
        for mark, instead in pasted.items():
            text = text.replace(mark, instead)
        found[f"ver/{number:03d}_{name}"] = as_raw(_one_transaction(path, text, left))
    return found


def _one_transaction(path: Path, text: str, left: Leftovers) -> str:
    """A script without the statements that begin or end a transaction."""
    faults = transaction_faults(path, text)
    for fault in faults:
        left.add(Fault(path, fault.line, "begins or ends a transaction; left out"))
    if not faults:
        return text
    parts = [part.text for part in split(text) if not transaction_faults(path, part.text)]
    return "".join(f"{part};\n" for part in parts)


def _without_numbers(files: Iterable[str]) -> list[str]:
    """`v001_roles.sql` is `roles.sql`, unless another would be so too."""
    names = {file: _NUMBER.sub("", Path(file).name, count=1) for file in files}
    count = Counter(names.values())
    return [name if count[name] == 1 else Path(file).name for file, name in names.items()]


def convert_table_steps(folder: Path, pasted: Pasted) -> tuple[dict[str, str], list[Fault]]:
    """The files in a task's ver/, and what of them cannot be said."""
    found: dict[str, str] = {}
    faults: list[Fault] = []
    numbers: dict[int, str] = {}
    for path in sorted((folder / "ver").glob("*.sql")):
        match = _OF_A_TABLE.fullmatch(path.name)
        if match is None:
            continue  # dapu 0.8 passed over it as well
        text = read_text(path)
        faults += transaction_faults(path, text)
        try:
            text = converted_step(text, pasted)
        except Unsayable as error:
            faults.append(Fault(path, error.line, str(error)))
        if int(match[1]) in numbers:
            faults.append(Fault(path, 1, f"has the same number as {numbers[int(match[1])]}"))
        numbers[int(match[1])] = path.name
        name = match[2] or ("create" if not found else "step")
        found[f"ver/{match[1]}_{name}.sql"] = text
    return found, faults
