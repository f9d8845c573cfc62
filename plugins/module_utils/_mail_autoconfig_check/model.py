"""What a check finds out: plain frozen values, the same for every report.

PRIVATE to the collection. :meth:`DomainReport.as_data` gives dictionaries, lists, strings, numbers and None only:

.. code-block:: text

    {domain: str, address: str (the one that clients were played with), verdict: works|warns|fails|unknown,
     clients: [{client: str (id), name: str, verdict: works|asks|fails|unknown, because: str,
                winner: str (URL or record, or empty),
                milliseconds: int, settings: [SERVICE],
                steps: [{question: str, answer: str, milliseconds: int}]}],
     servers: [{protocol: imap|pop3|smtp, host: str, port: int, tls: tls|starttls|none,
                ... what ``servers.py`` knows}],
     certificates: [{host, port, names: [str], issuer, not_before, not_after (ISO 8601 or empty), days_left: int or None,
                     share_left: float 0..1 or None, protocol: str, error: str (empty if it is verified), key: str}],
     records: [{owner, type, wanted: [rdata], found: [rdata],
                state: right|missing|different|present|absent|unknown}],
     zone: [str] (lines to paste into the zone), stale: [str] (lines to take out of it),
     findings: [{code, severity: error|warning|info, where, what, seen, clients: [client id], mends: [str]}]}

SERVICE is ``{protocol: imap|pop3|smtp, host: str, port: int, tls: tls|starttls|none, username: str (placeholders
%EMAILADDRESS% or %EMAILLOCALPART%, or empty if the client decides), authentication: [str]}``. :func:`summary` gives
``{domains, works, warns, fails, unknown, errors, warnings: int}`` for many of them.

A code names a fault and never changes: its first word says where it lies (``dns``, ``http``, ``tls``, ``document``, ``server``,
``settings``, ``client``).
"""

from __future__ import annotations

import dataclasses
import typing as t

Data = dict[str, t.Any]

ERROR, WARNING, INFO = "error", "warning", "info"
SEVERITIES = (ERROR, WARNING, INFO)
WORKS, ASKS, FAILS, UNKNOWN, WARNS = "works", "asks", "fails", "unknown", "warns"
TLS, STARTTLS, NO_TLS = "tls", "starttls", "none"
ADDRESS, LOCAL_PART = "%EMAILADDRESS%", "%EMAILLOCALPART%"


def plain(value: t.Any) -> t.Any:
    """Values as dictionaries and lists, at any depth; without characters that a stranger could steer a terminal with."""
    if isinstance(value, str):
        return value if value.isprintable() else "".join(char if char.isprintable() else "?" for char in value)
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    return value


@dataclasses.dataclass(frozen=True, order=True)
class Endpoint:
    """Where a mail server is: ``protocol`` imap, pop3 or smtp; ``tls`` is ``tls`` (from the start), ``starttls`` or ``none``."""

    protocol: str
    host: str
    port: int
    tls: str

    def __str__(self) -> str:
        return f"{self.protocol.upper()} {self.host}:{self.port} ({self.tls})"


@dataclasses.dataclass(frozen=True, order=True)
class Service:
    """One way in or out, as a document or a record says it.

    :ivar username: with placeholders; empty where nothing is said, and the client or the user decides
    :ivar authentication: methods in the words of Mozilla's format; none where nothing is said
    """

    protocol: str
    host: str
    port: int
    tls: str
    username: str = ""
    authentication: tuple[str, ...] = ()

    @property
    def endpoint(self) -> Endpoint:
        """Where it is."""
        return Endpoint(self.protocol, self.host, self.port, self.tls)

    def __str__(self) -> str:
        return str(self.endpoint)


@dataclasses.dataclass(frozen=True)
class Finding:
    """One fault, or something worth knowing.

    :ivar where: the URL, record or server where it was seen
    :ivar what: what is wrong, a sentence
    :ivar seen: what was there instead, in its own words and bounded
    :ivar clients: ids of the clients that it hits
    :ivar mends: what takes it away; each of them a way of its own
    """

    code: str
    severity: str
    where: str
    what: str
    seen: str = ""
    clients: tuple[str, ...] = ()
    mends: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Step:
    """One question of a client, and what came of it."""

    question: str
    answer: str
    milliseconds: int = 0


@dataclasses.dataclass(frozen=True)
class ClientResult:
    """What one client makes of it.

    :ivar because: why it does not work, or what it asks the user; empty if it works
    :ivar winner: the URL or record whose answer it takes
    """

    client: str
    name: str
    verdict: str
    because: str = ""
    winner: str = ""
    milliseconds: int = 0
    settings: tuple[Service, ...] = ()
    steps: tuple[Step, ...] = ()


@dataclasses.dataclass(frozen=True)
class CertificateFacts:
    """What a host shows; ``error`` is why a client would not take it, ``share_left`` the part of its life that is left.

    :ivar key: SHA-256 of its public key (SubjectPublicKeyInfo), hexadecimal
    """

    host: str
    port: int
    names: tuple[str, ...] = ()
    issuer: str = ""
    not_before: str = ""
    not_after: str = ""
    days_left: int | None = None
    share_left: float | None = None
    protocol: str = ""
    error: str = ""
    key: str = ""


@dataclasses.dataclass(frozen=True)
class RecordFacts:
    """An RRset that clients look up.

    :ivar state: ``right``, ``missing`` or ``different`` from what is wanted; ``present`` or ``absent`` where nobody says what is
        wanted; ``unknown`` where the question was not answered
    """

    owner: str
    type: str
    wanted: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    state: str = "absent"


@dataclasses.dataclass(frozen=True)
class DomainReport:
    """Everything about one domain; ``servers`` are values of ``servers.py``."""

    domain: str
    address: str
    verdict: str
    clients: tuple[ClientResult, ...] = ()
    servers: tuple[t.Any, ...] = ()
    certificates: tuple[CertificateFacts, ...] = ()
    records: tuple[RecordFacts, ...] = ()
    zone: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    def as_data(self) -> Data:
        """As the module returns it."""
        data = t.cast(Data, plain(self))
        data["servers"] = [server.as_data() if hasattr(server, "as_data") else plain(server) for server in self.servers]
        return data


def verdict_of(findings: t.Iterable[Finding]) -> str:
    """The verdict on a domain: its worst finding. That nothing could be asked at all is ``unknown``."""
    findings = tuple(findings)
    if any(finding.code in ("check.failed", "dns.unreachable") for finding in findings):
        return UNKNOWN
    severities = {finding.severity for finding in findings}
    return FAILS if ERROR in severities else WARNS if WARNING in severities else WORKS


def summary(domains: t.Sequence[Data]) -> dict[str, int]:
    """How many domains have which verdict, and how many findings there are, from the data of reports."""
    counts = {verdict: sum(each["verdict"] == verdict for each in domains) for verdict in (WORKS, WARNS, FAILS, UNKNOWN)}
    severities = [finding["severity"] for each in domains for finding in each["findings"]]
    return {"domains": len(domains), **counts, "errors": severities.count(ERROR), "warnings": severities.count(WARNING)}
