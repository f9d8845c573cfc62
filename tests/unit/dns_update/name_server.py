"""An authoritative name server in memory, in the place of the connection to one: messages go in, answers come out."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterable, Iterator

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update
import dns.zone
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns.exchange import LOST, Exchange, ServerError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns.plan import RRset
from dns.rdataclass import ANY, IN, NONE

KEY = dns.tsig.Key("k", b"secret", "hmac-sha256")
HEAD = "@ 3600 SOA ns.elsewhere.tld. hostmaster.elsewhere.tld. 1 3600 600 86400 300\n@ 3600 NS ns.elsewhere.tld.\n"


class MemoryServer(Exchange):
    """Serves zones and carries out updates (RFC 1034 section 4.3.2, RFC 2136 section 3, RFC 4592).

    :arg zones: the records of each beside its SOA and NS, in the words of a zone file
    :ivar updates: those that it was asked to carry out
    """

    def __init__(self, **zones: str) -> None:
        super().__init__("ns", 53, KEY, 1)
        self.name = "ns"
        names = {name.replace("_", "."): text for name, text in zones.items()}
        self.zones = {
            dns.name.from_text(name): dns.zone.from_text(HEAD + text, name, relativize=False) for name, text in names.items()
        }
        self.updates: list[dns.update.UpdateMessage] = []
        self.may_transfer = True
        self.transfers = 0
        # The whole of what it says about a name that is asked for with ANY.
        self.minimal_any = False
        # Says that all is well and does nothing.
        self.ignores_updates = False
        self.rcodes: dict[str, dns.rcode.Rcode] = {}  # by zone, for updates, or by owner, for queries
        # Loses an update, or the answer to it.
        self.loses = ""
        # Cannot be reached any more.
        self.is_gone = False
        self.before_update: Callable[[MemoryServer], None] = lambda server: None

    # -- what a test says and sees ------------------------------------------------------------------------------------

    def put(self, owner: str, kind: str, *rdatas: str, ttl: int = 60) -> None:
        """Somebody else sets an RRset."""
        name = dns.name.from_text(owner)
        zone = self._zone(name)
        assert zone is not None
        zone.replace_rdataset(name, dns.rdataset.from_text_list("IN", kind, ttl, rdatas))

    def has(self, owner: str, kind: str) -> list[str]:
        """TTL and data of an RRset, without wildcards."""
        name = dns.name.from_text(owner)
        zone = self._zone(name)
        assert zone is not None
        found = zone.get_rdataset(name, kind)
        return sorted(f"{found.ttl} {rdata}" for rdata in found) if found else []

    # -- the connection -----------------------------------------------------------------------------------------------

    def ask(self, questions: Iterable[dns.message.Message]) -> Iterator[dns.message.Message]:
        if self.is_gone:
            raise ServerError("ns port 53 cannot be reached")
        for question in questions:
            yield self._update(question, carry_out=False) if _is_update(question) else self._answer(question)

    def tell(self, message: dns.message.Message) -> dns.message.Message:
        assert isinstance(message, dns.update.UpdateMessage)
        self.before_update(self)
        if self.loses == "update":
            raise ServerError("ns closed the connection without an answer", LOST)
        self.updates.append(message)
        answer = self._update(message, carry_out=not self.ignores_updates)
        if self.loses == "answer":
            raise ServerError("ns closed the connection without an answer", LOST)
        return answer

    def transfer(self, zone: str) -> Iterator[dns.rrset.RRset]:
        self.transfers += 1
        if not self.may_transfer:
            raise ServerError(f"ns does not hand out the zone {zone} (REFUSED)", "REFUSED")
        for name, ttl, rdata in self.zones[dns.name.from_text(zone)].iterate_rdatas():
            yield dns.rrset.from_rdata(name, ttl, rdata)

    # -- queries ------------------------------------------------------------------------------------------------------

    def _zone(self, name: dns.name.Name) -> dns.zone.Zone | None:
        inside = [zone for apex, zone in self.zones.items() if name.is_subdomain(apex)]
        return max(inside, key=lambda zone: len(zone.origin or ()), default=None)

    def _answer(self, question: dns.message.Message) -> dns.message.Message:
        assert not question.flags & dns.flags.RD  # what is asked is what the server itself knows
        answer = dns.message.make_response(question)
        (asked,) = question.question
        zone = self._zone(asked.name)
        if zone is None or str(asked.name) in self.rcodes:
            answer.set_rcode(self.rcodes.get(str(asked.name), dns.rcode.REFUSED))
            return answer
        cut = next((name for name in _between(asked.name, zone) if zone.get_rdataset(name, "NS")), None)
        if cut is not None:
            answer.authority.append(zone.find_rrset(cut, "NS"))
            return answer
        answer.flags |= dns.flags.AA
        self._fill(answer, zone, asked.name, asked.rdtype)
        return answer

    def _fill(self, answer: dns.message.Message, zone: dns.zone.Zone, name: dns.name.Name, kind: int) -> None:
        source = _source(name, zone)
        node = zone.get_node(source) if source is not None else None
        rdatasets = list(node.rdatasets) if node else []
        if self.minimal_any and kind == dns.rdatatype.ANY and rdatasets:
            rdatasets = [dns.rdataset.from_text("IN", "HINFO", 3789, 'RFC8482 ""')]
        alias = next((found for found in rdatasets if found.rdtype == dns.rdatatype.CNAME), None)
        wanted = [found for found in rdatasets if kind in (found.rdtype, dns.rdatatype.ANY)] or ([alias] if alias else [])
        for found in wanted:
            answer.answer.append(dns.rrset.from_rdata_list(name, found.ttl, list(found)))
        if alias and kind not in (dns.rdatatype.CNAME, dns.rdatatype.ANY):
            target = alias[0].target
            target_zone = self._zone(target)
            if target_zone:
                self._fill(answer, target_zone, target, kind)
        elif not wanted:
            answer.authority.append(zone.find_rrset(zone.origin or dns.name.root, "SOA"))
            if source is None:
                answer.set_rcode(dns.rcode.NXDOMAIN)

    # -- updates ------------------------------------------------------------------------------------------------------

    def _update(self, message: dns.message.Message, carry_out: bool) -> dns.message.Message:
        answer = dns.message.make_response(message)
        received = dns.message.from_wire(message.to_wire(), keyring=KEY)
        assert isinstance(received, dns.update.UpdateMessage)
        zone = self.zones.get(received.zone[0].name)
        if zone is None:
            answer.set_rcode(dns.rcode.NOTAUTH)
            return answer
        rcode = self.rcodes.get(str(received.zone[0].name)) or _prerequisites(zone, received.prerequisite)
        answer.set_rcode(rcode)
        if carry_out and rcode == dns.rcode.NOERROR:
            for rrset in received.update:
                _change(zone, rrset)
        return answer


def _is_update(message: dns.message.Message) -> bool:
    return message.opcode() == dns.opcode.UPDATE


def _between(name: dns.name.Name, zone: dns.zone.Zone) -> Iterator[dns.name.Name]:
    """The name and those above it, without the zone's."""
    while name != zone.origin:
        yield name
        name = name.parent()


def _source(name: dns.name.Name, zone: dns.zone.Zone) -> dns.name.Name | None:
    """The name that answers come from: itself, that of a wildcard, or none; an empty one above others exists too."""
    if any(other.is_subdomain(name) for other in zone.nodes):
        return name
    closest = next(above for above in _above(name) if any(other.is_subdomain(above) for other in zone.nodes))
    wildcard = dns.name.from_text("*", closest)
    return wildcard if zone.get_node(wildcard) else None


def _above(name: dns.name.Name) -> Iterator[dns.name.Name]:
    while True:
        name = name.parent()
        yield name


def _prerequisites(zone: dns.zone.Zone, rrsets: Iterable[dns.rrset.RRset]) -> dns.rcode.Rcode:
    """RFC 2136 section 3.2"""
    exact: dict[tuple[dns.name.Name, int], set[dns.rdata.Rdata]] = {}
    for rrset in rrsets:
        node = zone.get_node(rrset.name)
        there = zone.get_rdataset(rrset.name, rrset.rdtype) if rrset.rdtype != dns.rdatatype.ANY else node
        if rrset.deleting == NONE and there:
            return dns.rcode.YXDOMAIN if rrset.rdtype == dns.rdatatype.ANY else dns.rcode.YXRRSET
        if rrset.deleting == ANY and not there:
            return dns.rcode.NXDOMAIN if rrset.rdtype == dns.rdatatype.ANY else dns.rcode.NXRRSET
        if rrset.deleting is None:
            exact.setdefault((rrset.name, rrset.rdtype), set()).update(rrset)
    for (name, kind), rdatas in exact.items():
        if rdatas != set(zone.get_rdataset(name, kind) or ()):
            return dns.rcode.NXRRSET
    return dns.rcode.NOERROR


def _change(zone: dns.zone.Zone, rrset: dns.rrset.RRset) -> None:
    """RFC 2136 section 3.4.2, as far as we use it: a whole RRset deleted, and one added, but not beside an alias."""
    if rrset.deleting == ANY:
        zone.delete_rdataset(rrset.name, rrset.rdtype)
        return
    assert rrset.deleting is None
    node = zone.get_node(rrset.name)
    kinds = {found.rdtype for found in node.rdatasets} if node else set()
    is_alias = rrset.rdtype == dns.rdatatype.CNAME
    if not (kinds - {dns.rdatatype.CNAME} if is_alias else dns.rdatatype.CNAME in kinds):
        rdataset = zone.find_rdataset(rrset.name, rrset.rdtype, create=True)
        rdataset.update(dns.rdataset.from_rdata_list(rrset.ttl, list(rrset)))


def rrset(owner: str, kind: str, *rdatas: str, ttl: int = 300) -> RRset:
    """A record set as the options give it; the data is dnspython's."""
    data: t.Iterable[dns.rdata.Rdata] = (dns.rdata.from_text(IN, kind, rdata) for rdata in rdatas)
    return RRset(owner, kind, ttl, frozenset(data))
