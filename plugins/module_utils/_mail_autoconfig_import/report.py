"""Everything as plain data with stable names, for the result of the module. Pure.

PRIVATE to the collection. What is bounded is counted in ``unknown`` or cut; every text is printable.
"""

from __future__ import annotations

import typing as t

from .._mail_autoconfig_check.model import plain
from .connections import Asked
from .model import MOST, SERVICES, CertificateFile, Facts, Listener, Unknown
from .proposal import Choices, Proposal, Reason

Data = dict[str, t.Any]
# Of a text; a path has up to 4096 characters, but none that is real has so many.
_LONGEST = 500


def report(facts: Facts, choices: Choices, asked: t.Sequence[Asked], proposal: Proposal) -> Data:
    """The result."""
    unknown = dict.fromkeys((*facts.unknown, *choices.unknown, *proposal.unknown))
    data = {
        "programs": [
            {"name": each.name, "version": each.version, "protocols": each.protocols, "from": each.source}
            for each in facts.programs
            if each.version
        ],
        "services": {service: [_listener(each) for each in facts.listeners(service)] for service in SERVICES},
        "certificates": [_certificate(each) for each in facts.certificates],
        "username": {
            "format": facts.username.format or None,
            "because": facts.username.because,
            "from": facts.username.source,
        },
        "domains": [{"name": each.name, "from": each.source} for each in facts.domains],
        "provider": proposal.provider,
        "reasons": [_reason(each) for each in proposal.reasons],
        "against": [_reason(each) for each in choices.against],
        "asked": [
            {
                "service": each.service,
                "hostname": each.hostname,
                "port": each.port,
                "addresses": each.addresses,
                "mechanisms": each.mechanisms,
                "differences": each.differences,
            }
            for each in asked
        ],
        "unknown": [_unknown(each) for each in unknown],
    }
    return t.cast(Data, _bounded(plain(data)))


def _bounded(value: t.Any) -> t.Any:
    """The same with texts and lists as long as people read them."""
    if isinstance(value, dict):
        return {key: _bounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_bounded(each) for each in value[:MOST]]
    return f"{value[:_LONGEST]}..." if isinstance(value, str) and len(value) > _LONGEST else value


def _listener(listener: Listener) -> Data:
    return {
        "program": listener.program,
        "port": listener.port,
        "addresses": listener.addresses,
        "socket_type": listener.socket_type or None,
        "mechanisms_before_tls": listener.before,
        "mechanisms_after_tls": listener.after,
        "certificate_files": listener.certificates,
        "message_size_limit": listener.message_size_limit,
        "not_for_clients": listener.not_for_clients,
        "from": listener.source,
    }


def _certificate(found: CertificateFile) -> Data:
    return {
        "file": found.use.file,
        "names": found.names,
        "services": found.use.services,
        "server_names": found.use.server_names,
        "problem": found.problem,
        "from": found.use.source,
    }


def _reason(reason: Reason) -> Data:
    return {"what": reason.what, "why": reason.why, "from": reason.source}


def _unknown(unknown: Unknown) -> Data:
    return {"what": unknown.what, "why": unknown.why, "from": unknown.source}
