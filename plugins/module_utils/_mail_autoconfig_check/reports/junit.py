"""The report as a test result that CI servers read: a suite a domain, a case a client and a case a fault.

PRIVATE to the collection. There is no standard; this is what Jenkins' xunit plugin and GitLab document (JUnit's Ant task). A
warning passes and is told in the case's output, and a client that could work with no server like this one is skipped, or CI
would be red for what works.
"""

from __future__ import annotations

import typing as t
import xml.etree.ElementTree as ET

from ..model import ASKS, ERROR, FAILS, UNKNOWN, WARNING, Data
from . import shown

_NAME = "mail_autoconfig_check"


def render(domains: t.Sequence[Data], summary: t.Mapping[str, int]) -> str:
    """The XML text."""
    root = ET.Element("testsuites", name=_NAME)
    for data in domains:
        root.append(_suite(data))
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(data: Data) -> ET.Element:
    domain = shown(data["domain"])
    suite = ET.Element("testsuite", name=domain)
    hit = {client for finding in data["findings"] if finding["severity"] == ERROR for client in finding["clients"]}
    suite.extend(_client(domain, client, client["client"] in hit) for client in data["clients"])
    suite.extend(_fault(domain, finding) for finding in data["findings"] if finding["severity"] in (ERROR, WARNING))
    if not len(suite):
        _case(suite, domain, "domain")
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", "0")
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    return suite


def _case(parent: ET.Element | None, group: str, name: str, seconds: float = 0.0) -> ET.Element:
    attributes = {"classname": group, "name": shown(name), "time": f"{seconds:.3f}"}
    return ET.Element("testcase", attributes) if parent is None else ET.SubElement(parent, "testcase", attributes)


def _client(domain: str, client: Data, is_hit: bool) -> ET.Element:
    """A case; a client fails that a fault hits, not one that looks for what nobody wants to offer."""
    case = _case(None, f"{domain}.clients", client["name"], client["milliseconds"] / 1000)
    because = shown(client["because"])
    if client["verdict"] == FAILS and is_hit:
        ET.SubElement(case, "failure", message=because, type="client")
    elif client["verdict"] in (FAILS, UNKNOWN):
        ET.SubElement(case, "skipped", message=because)
    elif client["verdict"] == ASKS:
        ET.SubElement(case, "system-out").text = because
    return case


def _fault(domain: str, finding: Data) -> ET.Element:
    case = _case(None, f"{domain}.findings", f"{finding['code']} {finding['where']}")
    lines = [shown(finding["what"])]
    lines += [f"seen: {shown(finding['seen'])}"] if finding["seen"] else []
    lines += [f"mend: {shown(mend)}" for mend in finding["mends"]]
    if finding["severity"] == ERROR:
        failure = ET.SubElement(case, "failure", message=lines[0], type=shown(finding["code"]))
        failure.text = "\n".join(lines)
    else:
        ET.SubElement(case, "system-out").text = "\n".join(lines)
    return case
