"""The report as one page to print or to send to a customer: no script, nothing from anywhere else, light and dark.

PRIVATE to the collection. WCAG 2.2 AA. The policy in the page lets its own style in, known by its digest, and nothing more
(Content Security Policy Level 3), so that what is not escaped could still do nothing.
"""

from __future__ import annotations

import base64
import hashlib
import html
import typing as t

from ..clients import BY_ID
from ..model import ASKS, ERROR, FAILS, INFO, UNKNOWN, WARNING, WORKS, Data
from . import shown

_VERDICTS = {WORKS: "works", "warns": "works, with warnings", FAILS: "something is broken", UNKNOWN: "could not be checked"}
_CLIENTS = {WORKS: "works", ASKS: "works, but asks", FAILS: "does not work", UNKNOWN: "cannot be told"}
_SEVERITIES = {ERROR: "Error", WARNING: "Warning", INFO: "Note"}
_MODES = {"tls": "SSL/TLS", "starttls": "STARTTLS", "none": "without TLS"}
_LOGINS = {"%EMAILADDRESS%": "the address", "%EMAILLOCALPART%": "the part before the @", "": "not said"}
_ORDER = (FAILS, UNKNOWN, "warns", WORKS)
# A sign beside the colour: nobody has to tell colours apart.
_SIGNS = {WORKS: "✓", "warns": "!", ASKS: "?", FAILS: "✗", UNKNOWN: "-", ERROR: "✗", WARNING: "!", INFO: "i"}

_STYLE = """
:root { color-scheme: light dark; --text: #1c1c1c; --page: #fff; --soft: #595959; --line: #c8c8c8; --box: #f5f5f5;
  --good: #1a6334; --warn: #7a4b00; --bad: #a51616; --link: #1f4f99; }
@media (prefers-color-scheme: dark) {
  :root { --text: #ececec; --page: #17181a; --soft: #b4b4b4; --line: #4a4c50; --box: #222427;
    --good: #7fd69a; --warn: #f0c062; --bad: #ff9a92; --link: #9cc4ff; } }
@media print { :root { color-scheme: light; --text: #000; --page: #fff; --soft: #444; --line: #999; --box: #fff;
    --good: #1a6334; --warn: #7a4b00; --bad: #a51616; --link: #000; }
  section { break-before: page; } section:first-of-type { break-before: auto; } li, tr { break-inside: avoid; } }
body { font: 1rem/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); max-width: 60rem; margin: 0 auto;
  padding: 1rem; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.35rem; border-top: 1px solid var(--line); padding-top: 1rem; }
h3 { font-size: 1.1rem; margin-bottom: .3rem; } a { color: var(--link); }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; font-weight: 600; padding: 1.2rem 0 .3rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); }
ol.findings { padding-left: 1.5rem; } ol.findings > li { margin-bottom: 1rem; } p { margin: .2rem 0; }
pre, code { font-family: ui-monospace, monospace; font-size: .9em; }
pre { background: var(--box); border: 1px solid var(--line); padding: .6rem; white-space: pre-wrap; margin: .3rem 0; }
.works { color: var(--good); } .warns, .warning, .asks { color: var(--warn); } .fails, .error { color: var(--bad); }
.unknown, .info, .soft { color: var(--soft); } .verdict { font-weight: 600; }
bdi { unicode-bidi: isolate; overflow-wrap: anywhere; }
"""


def render(domains: t.Sequence[Data], summary: t.Mapping[str, int]) -> str:
    """The page."""
    ordered = sorted(domains, key=lambda data: _ORDER.index(data["verdict"]))
    title = f"Mail settings of {shown(domains[0]['domain'])}" if len(domains) == 1 else f"Mail settings of {len(domains)} domains"
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_text(policy)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>",
        f"<h1>{_text(title)}</h1>",
        *_summary(ordered, summary),
        *(line for number, data in enumerate(ordered) for line in _domain(number, data)),
        "</main>\n</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _text(value: object) -> str:
    """Anything as text of the page, or as the value of an attribute in quotation marks."""
    return html.escape(shown(value), quote=True)


def _own(value: object) -> str:
    """What somebody else has said, set apart from the direction of our text."""
    return f"<bdi>{_text(value)}</bdi>"


def _state(state: str, words: t.Mapping[str, str]) -> str:
    sign = f'<span aria-hidden="true">{_SIGNS[state]}</span>'
    return f'<span class="verdict {state}">{sign} {_text(words[state])}</span>'


def _table(caption: str, heads: t.Sequence[str], rows: t.Iterable[t.Sequence[str]]) -> t.Iterator[str]:
    """A table of cells that are escaped already, of which the first is a row's head; nothing without rows."""
    listed = list(rows)
    if not listed:
        return
    columns = "".join(f'<th scope="col">{_text(head)}</th>' for head in heads)
    yield f"<table>\n<caption>{_text(caption)}</caption>\n<thead><tr>{columns}</tr></thead>\n<tbody>"
    for first, *others in listed:
        yield f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in others)}</tr>'
    yield "</tbody>\n</table>"


def _summary(domains: t.Sequence[Data], summary: t.Mapping[str, int]) -> t.Iterator[str]:
    """How all of them fare, and where each is; nothing for one."""
    if len(domains) < 2:
        return
    some = [verdict for verdict in _ORDER if summary[verdict]]
    counts = [f"{summary[each]} {'domain' if summary[each] == 1 else 'domains'}: {_VERDICTS[each]}" for each in some]
    yield f"<p>{_text('; '.join(counts))}. {summary['errors']} errors, {summary['warnings']} warnings.</p>"
    rows = (
        (
            f'<a href="#d{number}">{_own(data["domain"])}</a>',
            _state(data["verdict"], _VERDICTS),
            str(sum(finding["severity"] == ERROR for finding in data["findings"])),
            str(sum(finding["severity"] == WARNING for finding in data["findings"])),
        )
        for number, data in enumerate(domains)
    )
    yield from _table("Domains, the worst first", ("Domain", "Verdict", "Errors", "Warnings"), rows)


def _domain(number: int, data: Data) -> t.Iterator[str]:
    yield f'<section aria-labelledby="d{number}">\n<h2 id="d{number}">{_own(data["domain"])}</h2>'
    yield f"<p>{_state(data['verdict'], _VERDICTS)} for {_own(data['address'])}</p>"
    yield from _findings(data["findings"])
    for key, words in (("zone", "Add to the zone"), ("stale", "Remove from the zone")):
        if data[key]:
            yield f"<h3>{words}</h3>\n<pre>{chr(10).join(_text(line) for line in data[key])}</pre>"
    yield from _table("Mail clients", ("Clients", "Verdict", "What they get, or why not"), _clients(data["clients"]))
    yield from _table("Mail servers", ("Server", "Addresses", "Offers inside TLS", "Login"), map(_server, data["servers"]))
    heads = ("Host", "Names", "Issuer and end", "Fault")
    yield from _table("Certificates of the web hosts", heads, map(_certificate, data["certificates"]))
    yield from _table("Records", ("Name", "Type", "Found", "State"), map(_record, data["records"]))
    yield "</section>"


def _findings(findings: t.Sequence[Data]) -> t.Iterator[str]:
    if not findings:
        return
    yield '<h3>Findings</h3>\n<ol class="findings">'
    for finding in findings:
        yield f"<li>\n<p>{_state(finding['severity'], _SEVERITIES)}: {_own(finding['what'])}</p>"
        seen = f"; seen: {_own(finding['seen'])}" if finding["seen"] else ""
        yield f'<p class="soft">{_own(finding["where"])}{seen} (<code>{_text(finding["code"])}</code>)</p>'
        if finding["clients"]:
            names = ", ".join(BY_ID[each].name if each in BY_ID else each for each in finding["clients"])
            yield f"<p>Hits {_text(names)}.</p>"
        if finding["mends"]:
            yield "<p>What mends it, each by itself:</p>\n<ul>"
            yield from (f"<li>{_own(mend)}</li>" for mend in finding["mends"])
            yield "</ul>"
        yield "</li>"
    yield "</ol>"


def _service(service: Data) -> str:
    login = _LOGINS.get(service["username"], service["username"])
    return (
        f"{_text(service['protocol'].upper())} {_own(service['host'])} port {_text(service['port'])}, "
        f"{_text(_MODES.get(service['tls'], service['tls']))}, user name: {_own(login)}"
    )


def _clients(clients: t.Sequence[Data]) -> t.Iterator[tuple[str, ...]]:
    """A row for those that fare alike."""
    groups: dict[tuple[str, str], list[Data]] = {}
    for client in clients:
        lines = [_own(client["because"])] if client["because"] else []
        lines += map(_service, client["settings"])
        groups.setdefault((client["verdict"], "<br>".join(lines)), []).append(client)
    for (verdict, got), alike in groups.items():
        winners = {client["winner"] for client in alike}
        source = f'<br><span class="soft">from {_own(winners.pop())}</span>' if len(winners) == 1 and "" not in winners else ""
        yield _text(", ".join(client["name"] for client in alike)), _state(verdict, _CLIENTS), got + source


def _server(server: Data) -> tuple[str, ...]:
    name = f"{_text(server['protocol'].upper())} {_own(server['host'])} port {_text(server['port'])}, "
    addresses = (
        f"{_own(each['address'])}: {_text(each['problem'].replace('_', ' ') or 'answers')}" for each in server["addresses"]
    )
    offers = (each["after"] or each["before"] for each in server["addresses"])
    mechanisms = dict.fromkeys(word for offer in offers if offer for word in offer["mechanisms"])
    login = server["login"]["outcome"].replace("_", " ") if server["login"] else "not tried"
    mode = _text(_MODES.get(server["tls"], server["tls"]))
    return name + mode, "<br>".join(addresses) or "none", _text(", ".join(mechanisms) or "nothing"), _text(login)


def _certificate(certificate: Data) -> tuple[str, ...]:
    names = ", ".join(certificate["names"][:6]) + (" ..." if len(certificate["names"]) > 6 else "")
    days = "" if certificate["days_left"] is None else f" ({certificate['days_left']} days)"
    end = f"until {_text(certificate['not_after'][:10] + days)}" if certificate["not_after"] else ""
    host = f"{_own(certificate['host'])} port {_text(certificate['port'])}"
    return host, _own(names), f"{_own(certificate['issuer'])} {end}", _own(certificate["error"] or "none")


def _record(record: Data) -> tuple[str, ...]:
    found = "<br>".join(_own(rdata) for rdata in record["found"]) or "nothing"
    wanted = record["state"] in ("missing", "different") and record["wanted"]
    state = _text(record["state"]) + (f"; wanted: {_own(', '.join(record['wanted']))}" if wanted else "")
    return _own(record["owner"]), _text(record["type"]), found, state
