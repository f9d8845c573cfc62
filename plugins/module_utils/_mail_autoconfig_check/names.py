"""What names lead to: through a resolver, at the servers of the zone, or as the administrator says before it is so.

PRIVATE to the collection. RFC 1034, 1035, 2308 (no such data), 2782 (SRV), 4035 section 3.2.3 (the AD bit). Every question has
an end, every answer is bounded, and what a name server says is never an exception: an :class:`Answer` with its code.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import threading
import typing as t

from .library import dns

# As many aliases in a row as BIND follows.
_MOST_ALIASES = 16
# A zone has two to seven servers; more tell nothing new.
_MOST_SERVERS = 4
_MOST_ADDRESSES = 8
_MOST_RDATAS = 100
_LONGEST_RDATA = 1000

NO_ANSWER = "TIMEOUT"


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a name has of one type.

    :ivar code: mnemonic of RFC 1035 section 4.1.1 (NOERROR, NXDOMAIN, SERVFAIL, REFUSED, ...) or TIMEOUT
    :ivar rdatas: in presentation form, sorted, names in lower case
    :ivar aliases: the chain of CNAME targets from the name to where the data was
    :ivar secure: whether the resolver has validated it (DNSSEC)
    :ivar authoritative: whether a server of the zone itself answered
    """

    code: str
    rdatas: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    secure: bool = False
    authoritative: bool = False
    ttl: int = 0

    @property
    def answered(self) -> bool:
        """Whether it is known what there is, even if that is nothing."""
        return self.code in ("NOERROR", "NXDOMAIN")


@dataclasses.dataclass(frozen=True, order=True)
class Srv:
    """A record of RFC 2782; ``target`` is without the final dot, and empty for a service that is not offered."""

    priority: int
    weight: int
    port: int
    target: str


class Resolver:
    """The resolvers that a run asks, and whether any of them answers at all; threads and domains share it.

    :arg servers: their addresses, each with a port; none for the system's
    :arg timeout: seconds for a question, with all servers that are asked
    """

    def __init__(self, servers: t.Sequence[tuple[str, int]] = (), timeout: float = 5) -> None:
        self._servers = tuple(servers) or _system_resolvers()
        self._timeout = timeout
        self._lock = threading.Lock()
        # Neither is taken back once it is true, so that no thread undoes what another has found out meanwhile.
        self._has_answered = False
        self._root_in_vain = False

    @property
    def is_there(self) -> bool | None:
        """Whether any answers; None before the first answer, or before a question that every resolver can answer was in vain."""
        if self._has_answered:
            return True
        return False if self._root_in_vain else None

    def look_up(self, owner: str, kind: str) -> Answer:
        """The first usable answer. None is waited for once it is known that there is nobody."""
        if self.is_there is False:
            return Answer(NO_ANSWER)
        answer = _ask(self._servers, owner, kind, True, self._timeout)
        if answer.code != NO_ANSWER:
            self._has_answered = True
            return answer
        with self._lock:
            if self.is_there is None:
                # The servers of a domain may be silent, but the root (RFC 8109) is known to whoever resolves anything.
                if _ask(self._servers, ".", "NS", True, self._timeout).code == NO_ANSWER:
                    self._root_in_vain = True
                else:
                    self._has_answered = True
        return answer


class Names:
    """Looks names up, each question once; threads may share it.

    :arg addresses: in place of DNS, by host name
    :arg ports: ports in place of the usual ones, for trials
    :arg timeout: seconds for a question to a server of a zone
    """

    def __init__(
        self,
        resolver: Resolver,
        addresses: t.Mapping[str, t.Sequence[str]] | None = None,
        ports: t.Mapping[int, int] | None = None,
        timeout: float = 5,
    ) -> None:
        self._resolver = resolver
        self._given = {name.lower().rstrip("."): tuple(found) for name, found in (addresses or {}).items()}
        self._port = (ports or {}).get(53, 53)
        self._timeout = timeout
        self._known: dict[tuple[str, str, str], Answer] = {}
        self._lock = threading.Lock()

    # -- through the resolver -----------------------------------------------------------------------------------------

    def look_up(self, owner: str, kind: str) -> Answer:
        """What clients see; addresses that the administrator gives go before."""
        name = owner.lower().rstrip(".")
        if name in self._given and kind in ("A", "AAAA", "CNAME"):
            version = {"A": 4, "AAAA": 6}.get(kind)
            return Answer("NOERROR", tuple(each for each in self._given[name] if ipaddress.ip_address(each).version == version))
        return self._once("", name, kind, lambda: self._resolver.look_up(name, kind))

    def addresses(self, host: str) -> tuple[str, ...]:
        """All addresses of a host, IPv6 first as clients try them (RFC 6724); an address is its own."""
        literal = _literal(host)
        if literal:
            return (literal,)
        found = (*self.look_up(host, "AAAA").rdatas, *self.look_up(host, "A").rdatas)
        return tuple(each for each in found if _literal(each))[:_MOST_ADDRESSES]

    def srv(self, owner: str) -> tuple[Srv, ...]:
        """The SRV records of a name, best first."""
        return tuple(sorted(srv_of(self.look_up(owner, "SRV").rdatas)))

    def texts(self, owner: str) -> tuple[str, ...]:
        """The TXT records of a name, the strings of each joined."""
        return tuple(unquoted(rdata) for rdata in self.look_up(owner, "TXT").rdatas)

    # -- at the servers of the zone -----------------------------------------------------------------------------------

    def zone_of(self, name: str) -> str:
        """The innermost zone of a name, by the resolver; empty if there is none."""
        labels = name.lower().rstrip(".").split(".")
        for index in range(len(labels)):
            zone = ".".join(labels[index:])
            if any(rdata for rdata in self.look_up(zone, "NS").rdatas) and not self.look_up(zone, "NS").aliases:
                return zone
        return ""

    def servers_of(self, zone: str) -> tuple[tuple[str, str], ...]:
        """Names and addresses of the servers of a zone, at most one address each."""
        found = []
        for rdata in self.look_up(zone, "NS").rdatas[:_MOST_SERVERS] if zone else ():
            addresses = sorted(self.addresses(rdata.rstrip(".")), key=lambda each: ":" in each)
            found += [(rdata.rstrip("."), address) for address in addresses[:1]]
        return tuple(found)

    def at(self, server: tuple[str, str], owner: str, kind: str) -> Answer:
        """What one server of the zone says."""
        where = ((server[1], self._port),)
        return self._once(server[1], owner, kind, lambda: _ask(where, owner, kind, False, self._timeout))

    # -- questions ----------------------------------------------------------------------------------------------------

    def _once(self, server: str, owner: str, kind: str, ask: t.Callable[[], Answer]) -> Answer:
        key = (server, owner.lower().rstrip("."), kind)
        with self._lock:
            known = self._known.get(key)
        if known is None:
            known = ask()
            with self._lock:
                known = self._known.setdefault(key, known)
        return known


def _ask(servers: t.Sequence[tuple[str, int]], owner: str, kind: str, recursive: bool, timeout: float) -> Answer:
    """The first usable answer of the servers."""
    try:
        question = dns.message.make_query(owner, kind, use_edns=0, payload=1232)
    except (dns.exception.DNSException, ValueError):
        return Answer("NXDOMAIN")  # a name that DNS cannot carry
    question.flags = dns.flags.RD | dns.flags.AD if recursive else 0
    last = Answer(NO_ANSWER)
    for address, port in servers:
        try:
            message, _tcp = dns.query.udp_with_fallback(
                question, address, timeout=timeout / len(servers), port=port, ignore_unexpected=True
            )
        except (OSError, EOFError, ValueError, dns.exception.DNSException):
            continue
        last = _answer(message, owner, kind)
        if last.answered:
            break
    return last


def _answer(message: t.Any, owner: str, kind: str) -> Answer:
    """The answer in a message: what the owner has, or what its aliases lead to. What else a server puts in is not looked at."""
    rrsets = {(_lower(rrset.name), dns.rdatatype.to_text(rrset.rdtype)): rrset for rrset in message.answer}
    here = _lower(dns.name.from_text(owner))
    aliases: list[str] = []
    while len(aliases) < _MOST_ALIASES and (here, kind) not in rrsets and (here, "CNAME") in rrsets:
        here = _lower(next(iter(rrsets[here, "CNAME"])).target)
        aliases.append(here.rstrip("."))
    found = rrsets.get((here, kind), ()) if len(aliases) < _MOST_ALIASES else ()
    return Answer(
        code=dns.rcode.to_text(message.rcode()),
        rdatas=tuple(sorted(_text(rdata, kind) for rdata in list(found)[:_MOST_RDATAS])),
        aliases=tuple(aliases),
        secure=bool(message.flags & dns.flags.AD),
        authoritative=bool(message.flags & dns.flags.AA),
        ttl=found.ttl if found else 0,
    )


def _lower(name: t.Any) -> str:
    return str(name).lower()


def _text(rdata: t.Any, kind: str) -> str:
    text = str(rdata)
    if kind in ("CNAME", "MX", "NS", "SRV", "TLSA"):
        text = text.lower()
    return text[:_LONGEST_RDATA]


def srv_of(rdatas: t.Iterable[str]) -> t.Iterator[Srv]:
    """SRV records as values."""
    for rdata in rdatas:
        priority, weight, port, target = rdata.split(" ")
        yield Srv(int(priority), int(weight), int(port), target.rstrip("."))


def mx_of(rdatas: t.Iterable[str]) -> list[tuple[int, str]]:
    """MX records as values, best first; RFC 7505's null MX has an empty host."""
    return sorted((int(rdata.split(" ")[0]), rdata.split(" ")[1].rstrip(".")) for rdata in rdatas)


def unquoted(rdata: str) -> str:
    """The text of a TXT record from its presentation form (RFC 1035 section 5.1)."""
    text, inside, index = [], False, 0
    while index < len(rdata):
        char = rdata[index]
        if char == "\\" and rdata[index + 1 : index + 4].isdigit():
            text.append(chr(int(rdata[index + 1 : index + 4])))
            index += 4
            continue
        if char == "\\":
            text.append(rdata[index + 1 : index + 2])
            index += 2
            continue
        if char == '"':
            inside = not inside
        elif inside:
            text.append(char)
        index += 1
    return "".join(text)


def _literal(host: str) -> str:
    """A host that is an address, as it is connected to; empty for a name."""
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return ""


def _system_resolvers() -> tuple[tuple[str, int], ...]:
    """The resolvers of the system; none if it has none."""
    try:
        default = dns.resolver.Resolver()
    except dns.exception.DNSException:
        return ()
    return tuple((str(server), 53) for server in default.nameservers if isinstance(server, str))


# -- registered domains ---------------------------------------------------------------------------------------------------

# Second labels below which countries register names. Clients have the public suffix list, which changes weekly; for the few
# questions here (the base domain of an MX, whether a redirect stays at home) these are enough.
_SECOND_LEVEL = frozenset(("ac", "co", "com", "edu", "go", "gob", "gov", "gv", "ne", "net", "nom", "or", "org"))


def base_domain(name: str) -> str:
    """The registrable part of a name, about as clients see it."""
    labels = name.lower().rstrip(".").split(".")
    size = 3 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL else 2
    return ".".join(labels[-size:])
