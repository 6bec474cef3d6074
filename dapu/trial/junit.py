"""The outcome of tests as CI servers read it.

The format is that of JUnit's reports, as Jenkins' plugin describes them:
https://github.com/jenkinsci/xunit-plugin/blob/master/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement

from dapu.trial.run_case import Ran

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(path: Path, ran: Sequence[Ran], seconds: float) -> None:
    """Writes the report. seconds: that all of it took."""
    failed = sum(bool(one.faults) for one in ran)
    counts = {"tests": str(len(ran)), "failures": str(failed), "time": f"{seconds:.3f}"}
    suites = Element("testsuites", {"name": "dapu", **counts})
    suite = SubElement(suites, "testsuite", {"name": "dapu test", "errors": "0", **counts})
    for one in ran:
        names = {"classname": one.case.task, "name": one.case.path.stem, "file": str(one.case.path)}
        case = SubElement(suite, "testcase", {**names, "time": f"{one.seconds:.3f}"})
        if one.faults:
            text = _NOT_IN_XML.sub("\ufffd", "\n".join(one.faults))
            failure = SubElement(case, "failure", {"message": text.splitlines()[0]})
            failure.text = text
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)
