"""What one name server has, and the updates that change it, in terms of record sets.

PRIVATE to the collection. RFC 2136 (updates), 2308 section 3 (where a zone begins), 4592 (wildcards), 8482 (ANY).
"""

from __future__ import annotations

import itertools
import typing as t

from .exchange import Exchange, ServerError
from .library import dns
from .plan import Change, Held, RRset
from .records import TYPES

Wanted = t.Mapping[str, t.Sequence[RRset]]

# With more RRsets than this in a zone it is quicker to fetch all of it than to ask for each.
TRANSFER_FROM = 50
# No more changes than this fit into a message: a condition and a deletion are 12 octets each, and data is at least 4.
MOST_CHANGES = 65535 // 28
# These codes of an update mean that a prerequisite does not hold (RFC 2136 section 3.2).
PREREQUISITE_CODES = frozenset(("NXDOMAIN", "NXRRSET", "YXDOMAIN", "YXRRSET"))
# Servers that may not or will not hand out a zone say one of these; what is in it can still be asked for.
_NO_TRANSFER = frozenset(("BADKEY", "FORMERR", "NOTAUTH", "NOTIMP", "REFUSED"))

_REASONS = {
    "NOTAUTH": "is not the primary server of the zone (NOTAUTH)",
    "NOTIMP": "takes no updates (NOTIMP)",
    "NOTZONE": "says that an owner lies outside of the zone (NOTZONE)",
    "REFUSED": "refused it (REFUSED): the key may not change these records; see allow-update or update-policy (BIND), acl (Knot)",
    "SERVFAIL": "could not carry it out (SERVFAIL); its log says why",
}


class NameServer:
    """One server.

    :arg exchange: the connection to it
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    # -- zones --------------------------------------------------------------------------------------------------------

    def check_zones(self, zones: t.Iterable[str]) -> dict[str, str]:
        """Why the server cannot serve some of the zones, by zone. Raises ServerError."""
        zones = list(zones)
        problems = {}
        for zone, answer in zip(zones, self._exchange.ask(_question(zone, "SOA") for zone in zones)):
            found = _zone_in(answer, zone)
            if found != zone:
                where = f"; it is inside of {found}" if found else f" ({dns.rcode.to_text(answer.rcode())})"
                problems[zone] = f"{self._exchange.name} has no zone {zone}{where}"
        return problems

    def find_zones(self, owners: t.Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
        """The zone of each owner, and why some have none, by owner. Raises ServerError."""
        zones: dict[str, str] = {}
        problems = {}
        left = {owner: owner for owner in owners}  # owner -> the name to ask for
        while left:
            again = {}
            answers = self._exchange.ask(_question(name, "SOA") for name in left.values())
            for (owner, name), answer in zip(left.items(), answers):
                found = _zone_in(answer, name)
                parent = name.partition(".")[2]
                if found:
                    zones[owner] = found
                # The zone of an alias is not in the answer, only that of its target; the parent's may be.
                elif answer.answer and parent:
                    again[owner] = parent
                else:
                    code = dns.rcode.to_text(answer.rcode())
                    why = f"({code})" if answer.rcode() != dns.rcode.NOERROR else "(the name is delegated to another)"
                    problems[owner] = f"{owner}: {self._exchange.name} has no zone for it {why}"
            left = again
        return zones, problems

    # -- reading ------------------------------------------------------------------------------------------------------

    def read(self, wanted: Wanted) -> dict[str, Held]:
        """What the server has of the RRsets, by zone, and as far as it tells what else their owners have.

        Raises ServerError.
        """
        held: dict[str, Held] = {}
        small = {}
        for zone, rrsets in wanted.items():
            whole = self._transfer(zone, rrsets) if len(rrsets) > TRANSFER_FROM else None
            if whole is None:
                small[zone] = rrsets
            else:
                held[zone] = whole
        held.update(self._query(small))
        return held

    def _transfer(self, zone: str, rrsets: t.Sequence[RRset]) -> Held | None:
        """From the whole zone; None if the server does not hand it out."""
        owners = {dns.name.from_text(owner): owner for owner in {rrset.owner for rrset in rrsets}}
        apex = dns.name.from_text(zone)
        nodes: dict[str, dict[str, RRset]] = {}
        cuts = set()
        try:
            for piece in self._exchange.transfer(zone):
                if piece.name in owners:
                    _merge(nodes, owners[piece.name], piece)
                if piece.rdtype == dns.rdatatype.NS and piece.name != apex:
                    cuts.add(_text(piece.name))
        except ServerError as exc:
            if exc.code in _NO_TRANSFER:
                return None
            raise
        for owner in owners.values():
            for name in _up_to(owner, zone):
                if name in cuts:
                    raise self._delegated(owner)
        return nodes

    def _query(self, wanted: Wanted) -> dict[str, Held]:
        """From a query for each RRset."""
        places = [(zone, rrset) for zone, rrsets in wanted.items() for rrset in rrsets]
        found: dict[str, dict[str, dict[str, RRset]]] = {zone: {} for zone in wanted}
        # Beside an alias there can be nothing, so that for one it matters what else is there.
        questions = (_question(rrset.owner, "ANY" if rrset.type == "CNAME" else rrset.type) for _zone, rrset in places)
        for (zone, rrset), answer in zip(places, self._exchange.ask(questions)):
            self._check_answer(zone, rrset.owner, answer)
            for piece in answer.answer:
                if _text(piece.name) == rrset.owner and not _is_refusal_of_any(piece):
                    _merge(found[zone], rrset.owner, piece)
        for zone, owner in self._only_by_wildcard(found):
            del found[zone][owner]
        return dict(found)

    def _only_by_wildcard(self, found: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[tuple[str, str]]:
        """Zone and owner of those that exist only in answers, because of a wildcard (RFC 4592).

        An answer does not show it. Where there may be a wildcard above an owner, the server is asked by an update that has a
        prerequisite (*the name is not in use*, RFC 2136 section 2.4.5) and changes nothing.
        """
        above = {(zone, owner): _wildcards(owner, zone) for zone, nodes in found.items() for owner in nodes}
        names = sorted({name for wildcards in above.values() for name in wildcards})
        answers = zip(names, self._exchange.ask(_question(name, "A") for name in names))
        possible = {name for name, answer in answers if answer.rcode() != dns.rcode.NXDOMAIN}
        suspects = [place for place, wildcards in above.items() if possible.intersection(wildcards)]
        tests = (_test(zone, owner) for zone, owner in suspects)
        unused = []
        for (zone, owner), answer in zip(suspects, self._exchange.ask(tests)):
            if answer.rcode() == dns.rcode.NOERROR:
                unused.append((zone, owner))
            elif answer.rcode() != dns.rcode.YXDOMAIN:
                raise self._error(f"asked whether {owner} is in the zone {zone}", answer)
        return unused

    def _check_answer(self, zone: str, owner: str, answer: dns.message.Message) -> None:
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise self._error(f"asked for {owner}", answer)
        if not answer.flags & dns.flags.AA:
            raise self._delegated(owner)
        found = "" if answer.answer else _zone_in(answer, owner)
        if found and found != zone:
            raise ServerError(f"{owner} lies in the zone {found} of {self._exchange.name}, not in {zone}", of_zone=True)

    def _delegated(self, owner: str) -> ServerError:
        message = f"{self._exchange.name} is not authoritative for {owner}, which is delegated to another zone"
        return ServerError(message, of_zone=True)

    # -- updates ------------------------------------------------------------------------------------------------------

    def updates(self, zone: str, changes: t.Sequence[Change]) -> t.Iterator[tuple[t.Sequence[Change], dns.update.UpdateMessage]]:
        """The messages that make the changes, one if they fit, each with its part of them; see :meth:`send`.

        Those of an owner are in one, because an alias and other data take each other's place. Raises ServerError if those of a
        single owner do not fit.
        """
        rest = [list(group) for _owner, group in itertools.groupby(changes, key=lambda change: change.rrset.owner)]
        size = min(len(rest), MOST_CHANGES)
        while rest:
            part = [change for group in rest[:size] for change in group]
            message = _update(zone, part)
            if self._exchange.fits(message):
                yield part, message
                rest = rest[size:]
            elif size == 1:
                raise ServerError(f"{part[0].rrset} is too large for a message of 64 KiB", of_zone=True)
            else:
                size = (size + 1) // 2

    def send(self, message: dns.update.UpdateMessage) -> None:
        """Have an update carried out, as a whole or not at all. Raises ServerError."""
        answer = self._exchange.tell(message)
        if answer.rcode() != dns.rcode.NOERROR:
            raise self._error("asked to change the zone", answer)

    def _error(self, what: str, answer: dns.message.Message) -> ServerError:
        code = dns.rcode.to_text(answer.rcode())
        reason = _REASONS.get(code, f"answered {code}")
        return ServerError(f"{self._exchange.name}, {what}, {reason}", code)


def _question(name: str, kind: str) -> dns.message.Message:
    # Without the wish for recursion: only what the server itself knows counts.
    return dns.message.make_query(name, kind, flags=0)


def _test(zone: str, owner: str) -> dns.message.Message:
    message = dns.update.UpdateMessage(zone)
    message.absent(owner)
    return message


def _update(zone: str, changes: t.Sequence[Change]) -> dns.update.UpdateMessage:
    """The update with its prerequisites: what was read is still there, and nothing is where nothing was (RFC 2136, 2.4).

    All that goes does so before anything comes: an alias is added to an empty name only, and nothing beside one (3.4.2.2).
    """
    message = dns.update.UpdateMessage(zone)
    there: dict[str, set[str]] = {}
    for change in changes:
        if change.before is not None:
            there.setdefault(change.rrset.owner, set()).add(change.rrset.type)
    for change in changes:
        owner, kind = change.rrset.owner, change.rrset.type
        if change.before is not None:
            message.present(owner, *change.before.rdatas)
            message.delete(owner, kind)
        elif kind == "CNAME" and owner not in there:
            message.absent(owner)
        else:
            # Beside an alias a record would be ignored without a word, and so would an alias beside any other.
            for other in sorted({*(TYPES if kind == "CNAME" else (kind, "CNAME"))} - there.get(owner, set())):
                message.absent(owner, other)
    for change in changes:
        if change.after is not None:
            message.add(change.after.owner, change.after.ttl, *change.after.rdatas)
    return message


def _zone_in(answer: dns.message.Message, name: str) -> str:
    """The zone of a name by the answer to a query for its SOA; empty if the answer does not tell."""
    if not answer.flags & dns.flags.AA:
        return ""
    # With an answer that is not the name's own SOA, an alias, the authority is that of the target.
    for rrset in answer.answer or answer.authority:
        if rrset.rdtype == dns.rdatatype.SOA and (not answer.answer or _text(rrset.name) == name):
            return _text(rrset.name)
    return ""


def _text(name: dns.name.Name) -> str:
    return str(name.canonicalize())


def _up_to(owner: str, zone: str) -> t.Iterator[str]:
    """The owner and the names above it, without the zone's."""
    name = owner
    while name and name != zone:
        yield name
        name = name.partition(".")[2]


def _wildcards(owner: str, zone: str) -> list[str]:
    """Wildcards that answers for the owner may come from."""
    return [f"*.{name.partition('.')[2]}" for name in _up_to(owner, zone)]


def _is_refusal_of_any(rrset: dns.rrset.RRset) -> bool:
    return rrset.rdtype == dns.rdatatype.HINFO and any(rdata.cpu == b"RFC8482" for rdata in rrset)


def _merge(nodes: dict[str, dict[str, RRset]], owner: str, piece: dns.rrset.RRset) -> None:
    """Add an RRset, or a further piece of one, to what is known of an owner."""
    node = nodes.setdefault(owner, {})
    kind = dns.rdatatype.to_text(piece.rdtype)
    before = node[kind].rdatas if kind in node else frozenset()
    node[kind] = RRset(owner, kind, piece.ttl, before | frozenset(piece))
