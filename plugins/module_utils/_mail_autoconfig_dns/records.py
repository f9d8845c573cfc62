"""Reading the module's options: every mistake at once, each with its place.

PRIVATE to the collection. The rules are those of RFC 1035 (names, TXT), 1912 section 2.4 and 2181 section 10 (aliases),
2181 section 5.2 (TTLs) and section 8 (their range), 2782 (SRV).
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import ipaddress
import typing as t

from .._mail_autoconfig.input.reading import Fields, InputError, one_of, shown, text_line
from .library import dns
from .plan import RRset

Spec = dict[str, t.Any]

ALGORITHMS = ("hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512")
# Types that are data of an owner and nothing else: not those of the zone itself (SOA, NS) or of DNSSEC.
TYPES = (
    "A",
    "AAAA",
    "CAA",
    "CNAME",
    "HTTPS",
    "MX",
    "NAPTR",
    "PTR",
    "SRV",
    "SSHFP",
    "SVCB",
    "TLSA",
    "TXT",
    "URI",
)
# Where a host stands in the rdata, which can neither be an address nor, by RFC 2782 and RFC 2181 section 10.3, an alias.
_TARGETS = {"SRV": "target", "MX": "exchange"}
_ADDRESSES: dict[str, t.Callable[[str], t.Any]] = {"A": ipaddress.IPv4Address, "AAAA": ipaddress.IPv6Address}
MAX_TTL = 2**31 - 1
# The length of data has 16 bits (RFC 1035 section 3.2.1).
MAX_RDATA = 2**16 - 1


@dataclasses.dataclass(frozen=True)
class Record:
    """One record of the input that can be published.

    :ivar place: where it stands in the input
    :ivar owner: absolute, in lower case
    :ivar rdata: dnspython's
    """

    place: str
    owner: str
    type: str
    ttl: int
    rdata: t.Any


@dataclasses.dataclass(frozen=True)
class Options:
    """What the module is asked to do; ``zones`` have their final dot, ``timeout`` is seconds, ``key`` a ``dns.tsig.Key``.

    :ivar obsolete: what shall be there no more; nothing of ``rrsets``
    """

    server: str
    port: int
    timeout: int
    key: t.Any = dataclasses.field(repr=False)
    zones: tuple[str, ...]
    rrsets: tuple[RRset, ...]
    obsolete: tuple[RRset, ...]
    state: str


def argument_spec() -> Spec:
    """The module's options. In the records nothing is ``required``: Ansible reports the first mistake only, without its place."""
    text: Spec = {"type": "str"}
    record = {"owner": text, "type": text, "ttl": {"type": "int"}, "rdata": text, "domain": text, "fields": {"type": "dict"}}
    return {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "server": {"type": "str", "required": True},
        "port": {"type": "int", "default": 53},
        "zones": {"type": "list", "elements": "str", "default": []},
        "records": {"type": "list", "elements": "dict", "options": record, "required": True},
        "obsolete": {"type": "list", "elements": "dict", "options": record, "default": []},
        "key_name": {"type": "str", "required": True},
        "key_secret": {"type": "str", "required": True, "no_log": True},
        "key_algorithm": {"type": "str", "choices": list(ALGORITHMS), "default": "hmac-sha256"},
        "timeout": {"type": "int", "default": 10},
    }


def read(options: t.Mapping[str, t.Any]) -> Options:
    """The module's options as data. Raises InputError."""
    problems: list[str] = []
    fields = Fields(options, "", problems)
    zones = fields.texts("zones", _zone)
    records = [record for record in map(_record, fields.mappings("records")) if record]
    _check_owners(records, set(zones), problems)
    _check_aliases(records, problems)
    rrsets = _group(records, problems)
    wanted = {(rrset.owner, rrset.type) for rrset in rrsets}
    # What was there at different times need not go together.
    obsolete = _group((record for record in map(_record, fields.mappings("obsolete")) if record), [])
    found = Options(
        server=fields.text("server", text_line, required=True),
        port=fields.port("port", 53),
        timeout=fields.integer("timeout", 1, 3600, "a number of seconds", 10),
        key=_key(fields),
        zones=zones,
        rrsets=rrsets,
        obsolete=tuple(rrset for rrset in obsolete if (rrset.owner, rrset.type) not in wanted),
        state=fields.text("state", one_of("present", "absent"), "present"),
    )
    fields.close()
    if problems:
        raise InputError(problems)
    return found


def chosen(entries: t.Iterable[t.Mapping[str, t.Any]], rrsets: t.Iterable[RRset]) -> list[dict[str, str]]:
    """Those records of the input that are of the RRsets, in the words of the input."""
    wanted = {(rrset.owner, rrset.type) for rrset in rrsets}
    return [
        {name: entry[name] for name in ("domain", "owner", "type", "rdata") if entry.get(name)}
        for entry in entries
        if (entry["owner"].lower(), entry["type"].upper()) in wanted
    ]


def _key(fields: Fields) -> t.Any:
    name = fields.text("key_name", _name, required=True)
    secret = fields.text("key_secret", _secret, required=True)
    algorithm = fields.text("key_algorithm", one_of(*ALGORITHMS), "hmac-sha256")
    return dns.tsig.Key(name, secret, algorithm) if name and secret and algorithm else None


def _secret(value: str) -> str:
    """Check a secret without ever showing it."""
    try:
        decoded = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if not decoded:
        raise ValueError("is not base64")
    return value.strip()


def _name(value: str) -> str:
    """Normalise a domain name to lower case with its final dot (RFC 1035 section 5.1). Raises ValueError."""
    # No escapes: a dot inside of a label is legal, but every split at the dots would be wrong.
    if not value.isascii() or not value.isprintable() or set(value) & set(" \\"):
        raise ValueError(f"{shown(value)} has a blank, a backslash or a letter beyond ASCII (write international names as xn--)")
    try:
        return str(dns.name.from_text(value, dns.name.root).canonicalize())
    except dns.exception.DNSException as exc:
        raise ValueError(f"{shown(value)} is not a domain name: {exc}") from exc


def _zone(value: str) -> str:
    name = _name(value)
    if name == ".":
        raise ValueError(f"{shown(value)} is not a zone of yours")
    return name


def _owner(value: str) -> str:
    if not value.endswith("."):
        raise ValueError(f"{shown(value)} does not end in a dot; owners are absolute")
    return _name(value)


def _record(fields: Fields) -> Record | None:
    before = len(fields.problems)
    owner = fields.text("owner", _owner, required=True)
    kind = fields.text("type", lambda value: one_of(*TYPES)(value.upper()), required=True)
    if not fields.given("ttl"):
        fields.problem("ttl", "is required")
    ttl = fields.integer("ttl", 0, MAX_TTL, "a time to live in seconds")
    text = fields.text("rdata", str, required=True)
    rdata = None
    if kind and text:
        try:
            rdata = _rdata(kind, text)
        except ValueError as exc:
            fields.problem("rdata", str(exc))
    # What mail_autoconfig says besides, for loops: the rdata says it all.
    fields.text("domain")
    fields.mapping("fields")
    fields.close()
    return Record(fields.path, owner, kind, ttl, rdata) if len(fields.problems) == before else None


def _rdata(kind: str, text: str) -> t.Any:
    """Parse rdata in presentation form. Raises ValueError."""
    if not text.isprintable():
        raise ValueError(f"{shown(text)} has characters that must be written as \\DDD")
    if kind in _ADDRESSES:
        try:
            # dnspython's reader has no words for what is wrong.
            address = _ADDRESSES[kind](text)
        except ValueError as exc:
            raise ValueError(f"{shown(text)} is not an IPv{4 if kind == 'A' else 6} address") from exc
        if getattr(address, "scope_id", None):
            raise ValueError(f"{shown(text)} has a zone index, which means something on one host only")
    try:
        rdata = dns.rdata.from_text(dns.rdataclass.IN, kind, text, relativize=False)
    except (dns.exception.DNSException, ValueError) as exc:
        raise ValueError(f"{shown(text)} is not the data of a record of type {kind}: {exc}") from exc
    if kind in _TARGETS and _is_address(getattr(rdata, _TARGETS[kind])):
        raise ValueError(f"{shown(text)} names an IP address where a host name is needed")
    try:
        octets = len(rdata.to_digestable())
    except dns.name.NeedAbsoluteNameOrOrigin as exc:
        raise ValueError(f"{shown(text)} has a name that does not end in a dot; names are absolute") from exc
    if octets > MAX_RDATA:
        raise ValueError(f"{shown(text)} is longer than a record can be ({MAX_RDATA} octets)")
    return rdata


def _is_address(name: t.Any) -> bool:
    try:
        ipaddress.ip_address(name.to_text(omit_final_dot=True))
    except ValueError:
        return False
    return True


def _check_owners(records: t.Iterable[Record], zones: t.AbstractSet[str], problems: list[str]) -> None:
    for record in records:
        if zones and zone_of(record.owner, zones) is None:
            problems.append(f"{record.place}.owner: {record.owner} lies in none of the zones that are given")


def zone_of(owner: str, zones: t.AbstractSet[str]) -> str | None:
    """The innermost of the zones that the owner lies in"""
    name = owner
    while name and name not in zones:
        name = name.partition(".")[2]
    return name or None


def _check_aliases(records: t.Iterable[Record], problems: list[str]) -> None:
    """A CNAME stands alone at its owner, and no server's target is an alias."""
    records = list(records)
    aliases: dict[str, Record] = {}
    for record in records:
        if record.type == "CNAME":
            aliases.setdefault(record.owner, record)
    for record in records:
        alias = aliases.get(record.owner)
        if alias and (record.type != "CNAME" or record.rdata != alias.rdata):
            problems.append(f"{record.place}.type: nothing can be beside the CNAME of {record.owner} in {alias.place}")
        if record.type in _TARGETS:
            target = str(getattr(record.rdata, _TARGETS[record.type]).canonicalize())
            if target in aliases:
                problems.append(f"{record.place}.rdata: {target} is an alias, by {aliases[target].place}, and must be a host")


def _group(records: t.Iterable[Record], problems: list[str]) -> tuple[RRset, ...]:
    """Record sets from records; a record that is given twice counts once (RFC 2181 section 5)."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record.owner, record.type), []).append(record)
    rrsets = []
    for (owner, kind), members in groups.items():
        first = members[0]
        problems.extend(
            f"{other.place}.ttl: {other.ttl} differs from {first.ttl} in {first.place}, which has the same owner and type"
            for other in members
            if other.ttl != first.ttl
        )
        rrsets.append(RRset(owner, kind, first.ttl, frozenset(member.rdata for member in members)))
    return tuple(rrsets)
