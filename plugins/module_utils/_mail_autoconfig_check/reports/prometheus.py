"""The report as figures for monitoring, in Prometheus' text format 0.0.4, for the textfile collector of node_exporter.

PRIVATE to the collection. Only what one makes an alert of; a series a finding would be a new one with each address.
"""

from __future__ import annotations

import collections
import datetime
import typing as t

from ..model import SEVERITIES, WORKS, Data
from . import shown

_PREFIX = "mail_autoconfig_check_"
_VERDICTS = ("works", "warns", "fails", "unknown")
_HELP = {
    "verdict": "1 for the verdict that a domain has.",
    "findings": "Number of findings of a domain.",
    "fault": "Number of findings of a kind.",
    "client_works": "Whether a mail client sets itself up without a question.",
    "server_answers": "Whether a mail server answers at an address as it is published.",
    "login_accepted": "Whether a mail server accepted the login.",
    "certificate_expiry_timestamp_seconds": "When the certificate that a host shows expires.",
}

Labels = dict[str, object]
Series = dict[tuple[tuple[str, str], ...], float]


def render(domains: t.Sequence[Data], summary: t.Mapping[str, int]) -> str:
    """The text; all series of a metric together, each once."""
    metrics: dict[str, Series] = {name: {} for name in _HELP}
    for data in domains:
        for name, labels, value in _samples(data):
            key = tuple((label, shown(text)) for label, text in {"domain": data["domain"], **labels}.items())
            # Of the same host seen twice the worse counts: each of the figures is worse if it is less.
            metrics[name][key] = min(value, metrics[name].get(key, value))
    lines = [f"# HELP {_PREFIX}domains Number of domains checked.", f"# TYPE {_PREFIX}domains gauge"]
    lines.append(f"{_PREFIX}domains {summary['domains']}")
    for name, series in metrics.items():
        if series:
            lines += [f"# HELP {_PREFIX}{name} {_HELP[name]}", f"# TYPE {_PREFIX}{name} gauge"]
            lines += [f"{_PREFIX}{name}{{{_labels(key)}}} {value:.0f}" for key, value in series.items()]
    return "\n".join(lines) + "\n"


def _samples(data: Data) -> t.Iterator[tuple[str, Labels, float]]:
    for verdict in _VERDICTS:
        yield "verdict", {"verdict": verdict}, float(data["verdict"] == verdict)
    severities = collections.Counter(finding["severity"] for finding in data["findings"])
    for severity in SEVERITIES:
        yield "findings", {"severity": severity}, severities[severity]
    kinds = collections.Counter((finding["code"], finding["severity"]) for finding in data["findings"])
    for (code, severity), count in kinds.items():
        yield "fault", {"code": code, "severity": severity}, count
    for client in data["clients"]:
        yield "client_works", {"client": client["client"]}, float(client["verdict"] == WORKS)
    for certificate in data["certificates"]:
        yield from _expiry(certificate)
    for server in data["servers"]:
        yield from _server(server)


def _server(server: Data) -> t.Iterator[tuple[str, Labels, float]]:
    endpoint = {"protocol": server["protocol"], "host": server["host"], "port": server["port"]}
    for address in server["addresses"]:
        # What cannot be asked from here says nothing of the server.
        if address["problem"] != "no_route":
            yield "server_answers", {**endpoint, "address": address["address"]}, float(not address["problem"])
        if address["certificate"]:
            yield from _expiry(address["certificate"])
    if server["login"]:
        yield "login_accepted", dict(endpoint), float(server["login"]["outcome"] == "accepted")


def _expiry(certificate: Data) -> t.Iterator[tuple[str, Labels, float]]:
    if certificate["not_after"]:
        moment = datetime.datetime.fromisoformat(certificate["not_after"].replace("Z", "+00:00"))
        labels: Labels = {"host": certificate["host"], "port": certificate["port"]}
        yield "certificate_expiry_timestamp_seconds", labels, moment.timestamp()


def _labels(key: tuple[tuple[str, str], ...]) -> str:
    """Escaped as the format says: backslash, quotation mark and line feed, of which :func:`shown` leaves none."""
    return ",".join('{}="{}"'.format(name, text.replace("\\", "\\\\").replace('"', '\\"')) for name, text in key)
