"""The report as one reads it in a terminal: one screen a domain, the worst first. Pure.

PRIVATE to the collection.
"""

from __future__ import annotations

import textwrap
import typing as t

from .clients import BY_ID
from .model import ASKS, ERROR, FAILS, INFO, UNKNOWN, WARNING, WORKS, Data
from .reports import harmless

WIDTH = 110
_VERDICTS = {
    WORKS: "works",
    "warns": "works, with warnings",
    FAILS: "something is broken",
    UNKNOWN: "could not be checked",
}
_CLIENTS = {WORKS: "work", ASKS: "work, but ask", FAILS: "do not work", UNKNOWN: "cannot be told"}
_SEVERITIES = {ERROR: "ERROR", WARNING: "warning", INFO: "note"}
_MODES = {"tls": "SSL", "starttls": "STARTTLS", "none": "without TLS"}
_MOST_DOMAINS = 20


def render(domains: t.Sequence[Data], summary: t.Mapping[str, int]) -> str:
    """The text; of many domains first how they all fared and which faults they have in common, then the worst of them."""
    lines: list[str] = []
    worst = sorted(domains, key=lambda each: (FAILS, UNKNOWN, "warns", WORKS).index(each["verdict"]))
    if len(domains) > 1:
        lines += [_sums(summary), *_in_common(worst), ""]
    shown = worst if len(domains) <= _MOST_DOMAINS else [each for each in worst if each["verdict"] != WORKS][:_MOST_DOMAINS]
    for each in shown:
        lines += [*_domain(each), ""]
    left = len(domains) - len(shown) - (summary["works"] if len(domains) > _MOST_DOMAINS else 0)
    lines += [f"... and {left} more domains with findings, which a report has", ""] if left else []
    return "\n".join(harmless(line) for line in lines)


def _in_common(domains: t.Sequence[Data]) -> t.Iterator[str]:
    """The domains that have a fault, for each fault."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for each in domains:
        for finding in each["findings"]:
            if finding["severity"] != INFO:
                found.setdefault((finding["severity"], finding["code"]), {})[each["domain"]] = None
    for (severity, code), names in sorted(found.items(), key=lambda item: (item[0][0], -len(item[1]))):
        shown = ", ".join(list(names)[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        yield from _wrapped(f"  {_SEVERITIES[severity]:8}{code:32}", shown)


def _sums(summary: t.Mapping[str, int]) -> str:
    words = {"works": "work", "warns": "work with warnings", "fails": "fail", "unknown": "could not be checked"}
    parts = [f"{summary[verdict]} {word}" for verdict, word in words.items() if summary[verdict]]
    return f"{summary['domains']} domains: {', '.join(parts)} ({summary['errors']} errors, {summary['warnings']} warnings)"


def _domain(data: Data) -> t.Iterator[str]:
    title = f"{data['domain']}: {_VERDICTS[data['verdict']]}"
    yield title
    yield "=" * len(title)
    yield from _clients(data["clients"])
    yield from _servers(data["servers"])
    if data["findings"]:
        yield ""
    for number, finding in enumerate(data["findings"], 1):
        yield from _finding(number, finding)
    for key, words in (("zone", "Add to the zone:"), ("stale", "Remove from the zone:")):
        if data[key]:
            yield f"  {words}"
            yield from (f"    {line}" for line in data[key])


def _clients(clients: t.Sequence[Data]) -> t.Iterator[str]:
    """Clients that fare alike in one paragraph, with what they get."""
    groups: dict[tuple[str, str], list[str]] = {}
    for client in clients:
        got = ", ".join(map(_service, client["settings"])) if client["verdict"] == WORKS else client["because"]
        groups.setdefault((client["verdict"], got), []).append(client["name"])
    for verdict in (WORKS, ASKS, FAILS, UNKNOWN):
        for (each, got), names in groups.items():
            if each == verdict:
                yield from _wrapped(f"  {_CLIENTS[verdict] + ':':15} ", f"{', '.join(names)}")
                yield from _wrapped(" " * 18, got)


def _service(service: Data) -> str:
    name = {"%EMAILADDRESS%": "address", "%EMAILLOCALPART%": "local part", "": ""}.get(service["username"], service["username"])
    login = f" ({name})" if name else ""
    return f"{service['protocol'].upper()} {service['host']}:{service['port']} {_MODES[service['tls']]}{login}"


def _servers(servers: t.Sequence[Data]) -> t.Iterator[str]:
    for server in servers:
        reached = [each for each in server["addresses"] if not each["problem"]]
        words = [each["address"] + ("" if not each["problem"] else f" {each['problem']}") for each in server["addresses"]]
        login = server["login"]
        end = [f"login {login['outcome']}"] if login and login["outcome"] not in ("insecure", "unreachable") else []
        mode = _MODES.get(server["tls"], server["tls"])
        name = f"{server['protocol'].upper()} {server['host']}:{server['port']} {mode}"
        state = "answers" if reached and len(reached) == len(words) else "partly answers" if reached else "does not answer"
        yield from _wrapped("  server:         ", f"{name} {state}: {'; '.join([', '.join(words) or 'no address', *end])}")


def _finding(number: int, finding: Data) -> t.Iterator[str]:
    seen = f" [{finding['seen']}]" if finding["seen"] else ""
    where = "" if finding["what"].startswith(finding["where"]) else f"{finding['where']}: "
    yield from _wrapped(f"{number:3} {_SEVERITIES[finding['severity']]:8} ", f"{where}{finding['what']}{seen}")
    if finding["clients"]:
        names = [BY_ID[each].name if each in BY_ID else each for each in finding["clients"]]
        yield from _wrapped("             hits ", ", ".join(names))
    for index, mend in enumerate(finding["mends"]):
        yield from _wrapped("             " + ("mend " if not index else "  or "), mend.removeprefix("or "))


def _wrapped(beginning: str, text: str) -> list[str]:
    indent = " " * len(beginning)
    wrapper = textwrap.TextWrapper(WIDTH, beginning, indent, break_long_words=False, break_on_hyphens=False)
    return wrapper.wrap(text) or [beginning.rstrip()]
