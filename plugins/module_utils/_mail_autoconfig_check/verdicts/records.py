"""Records against what is wanted, and against what clients can use. Pure.

PRIVATE to the collection. RFC 1034 section 3.6.2 and 2782 (aliases as targets), 6186 section 3.4 (not offered), 7505 (no mail),
8659 (CAA), 6698 (TLSA).
"""

from __future__ import annotations

import typing as t

from ..._mail_autoconfig.clients import PACC_LABEL
from ..certificates import Shown
from ..gathering import HOSTS, Facts
from ..model import ERROR, INFO, WARNING, Finding, RecordFacts
from ..names import NO_ANSWER, Answer, mx_of, srv_of, unquoted
from ..readers import SERVICE_NAMES
from ..wanted import Key, RRset, wanted
from . import mends

__all__ = ["domain", "facts", "judge", "wanted", "zone_lines"]

# The names that authorities have in CAA, by what certificates call them.
_AUTHORITIES = {
    "Let's Encrypt": "letsencrypt.org",
    "ZeroSSL": "sectigo.com",
    "Sectigo": "sectigo.com",
    "DigiCert": "digicert.com",
    "Google Trust Services": "pki.goog",
    "GlobalSign": "globalsign.com",
    "Buypass": "buypass.com",
}
_MICROSOFT = (".mail.protection.outlook.com", ".mx.microsoft")
_MOST_LINES = 20


def domain(found: Facts) -> tuple[Finding, ...]:
    """Why nothing else can be said of a domain; nothing if more can."""
    name = found.domain
    if found.record(name, "SOA").code == "NXDOMAIN":
        what = "the domain does not exist, as far as the resolver knows"
        return (Finding("dns.domain.missing", ERROR, name, what, "NXDOMAIN", (), ("register it, or correct its spelling",)),)
    codes = sorted({answer.code for answer in found.records.values()})
    if not any(answer.answered for answer in found.records.values()):
        mend = ("see whether this machine reaches a resolver (/etc/resolv.conf), or name one with the option resolver",)
        if "SERVFAIL" in codes:
            what = "the resolver cannot resolve the domain: its name servers do not answer, or its DNSSEC signatures are wrong"
            return (Finding("dns.servfail", ERROR, name, what, "SERVFAIL", (), (f"look at https://dnsviz.net/d/{name}/",)),)
        return (Finding("dns.unreachable", ERROR, name, "no resolver answers", ", ".join(codes), (), mend),)
    return ()


def judge(found: Facts) -> t.Iterator[Finding]:
    """Everything that is wrong with the records."""
    if found.wanted.left_out:
        what = "none of the providers has this domain: its servers are held against what it publishes itself"
        yield Finding("check.no_provider", INFO, found.domain, what, "", (), ("add it to domains of its provider",))
    if not found.record(found.domain, "SOA").answered:
        # The administrator has given addresses, so that hosts could be asked all the same.
        what = "no resolver answers: only the hosts whose addresses are given were asked"
        yield Finding("dns.not_asked", INFO, found.domain, what, "", (), ("check again where DNS works",))
        return
    for label in HOSTS:
        yield from _host(found, label)
    for key in dict.fromkeys((rrset.owner, rrset.type) for rrset in found.wanted.rrsets):
        yield from _rrset(found, key)
    yield from _unwanted(found)
    yield from _srv_targets(found)
    yield from _autodiscover(found)
    yield from _mx(found)
    yield from _leftover(found)
    yield from _authorities(found)
    yield from _keys(found)
    yield from _zone_servers(found)


# -- what is held against what is wanted ----------------------------------------------------------------------------------


def _held(found: Facts, key: Key) -> Answer:
    """What the zone has; what clients see where its servers were not asked."""
    at_zone = found.zone.answers.get(key)
    return at_zone[0] if at_zone else found.record(*key)


def facts(found: Facts) -> tuple[RecordFacts, ...]:
    """Each RRset that clients look up, with its state."""
    return tuple(_facts(found, key) for key in found.records if key[1] not in ("SOA", "NS"))


def _facts(found: Facts, key: Key) -> RecordFacts:
    wish, held = found.wanted.rrset(*key), _held(found, key)
    if not held.answered:
        return RecordFacts(*key, wish.rdatas if wish else (), (), "unknown")
    if wish is None:
        return RecordFacts(*key, (), held.rdatas, "present" if held.rdatas else "absent")
    state = "right" if _same(wish, held.rdatas) else "different" if held.rdatas or held.aliases else "missing"
    return RecordFacts(*key, wish.rdatas, held.rdatas, state)


def _same(wish: RRset, rdatas: t.Iterable[str]) -> bool:
    """Whether what is wanted is there; other records may stand beside a TXT or CAA record."""
    want, have = ({_normal(wish.type, rdata) for rdata in each} for each in (wish.rdatas, rdatas))
    return want <= have if wish.type in ("TXT", "CAA", "MX", "TLSA") else want == have


def _normal(kind: str, rdata: str) -> str:
    if kind == "TXT":
        return unquoted(rdata)
    return rdata if kind == "CAA" else rdata.lower()


def zone_lines(found: Facts, held: t.Iterable[RecordFacts]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What to put into the zone, and what to take out of it."""
    add, remove = [], []
    for record in held:
        wish = found.wanted.rrset(record.owner, record.type)
        if wish is None or record.state not in ("missing", "different"):
            continue
        add += [line for line, rdata in zip(wish.lines(), wish.rdatas) if rdata not in record.found]
        if record.type in ("A", "AAAA", "SRV", "CNAME"):
            remove += [f"{record.owner}. IN {record.type} {rdata}" for rdata in record.found if rdata not in wish.rdatas]
    return tuple(add), tuple(remove)


def _rrset(found: Facts, key: Key) -> t.Iterator[Finding]:
    """A wanted RRset; those of the hosts are judged as hosts."""
    owner, kind = key
    wish = found.wanted.rrset(owner, kind)
    label = owner.partition(".")[0]
    if wish is None or (label in HOSTS and kind in ("A", "AAAA", "CNAME")) or kind == "TLSA":
        return
    record = _facts(found, key)
    if record.state == "right":
        return
    name = {"SRV": "srv", "MX": "mx", "CAA": "caa"}.get(kind, "record")
    if owner == f"_{PACC_LABEL}.{found.domain}":
        name = "pacc_digest"
    hit = _clients_of(found, f"{owner} {kind}")
    if record.state == "unknown":
        code = _held(found, key).code
        what = f"whether the record {kind} of {owner} is there could not be found out"
        seen = "no answer in time" if code == NO_ANSWER else code
        mend = ("check again", "or see whether the name servers of the domain answer this question")
        yield Finding("dns.unanswered", WARNING, f"{owner} {kind}", what, seen, hit, mend)
        return
    if record.state == "missing":
        severity = WARNING if kind != "CAA" else INFO
        what = f"the record {kind} of {owner} is missing"
        yield Finding(f"dns.{name}.missing", severity, f"{owner} {kind}", what, "", hit, mends.record(wish.lines()))
        return
    refused = kind == "SRV" and any(not record_.target for record_ in srv_of(record.found))
    seen = "; ".join(record.found)[:300]
    what = f"the record {kind} of {owner} says " + (
        "that the service is not offered" if refused else "something else than is wanted"
    )
    severity = ERROR if kind in ("SRV", "MX") else WARNING
    code = "dns.srv.refused" if refused else f"dns.{name}.differs"
    yield Finding(code, severity, f"{owner} {kind}", what, seen, hit, _replace(wish))


def _replace(wish: RRset) -> tuple[str, ...]:
    return (f"make it: {'; '.join(wish.lines()[:_MOST_LINES])}",)


def _clients_of(found: Facts, name: str) -> tuple[str, ...]:
    """The clients that asked for a URL, a host or a record on their way."""
    hit = []
    for play in found.plays:
        if any(each == name or f"//{name}/" in each or each.startswith(name + "?") for each in play.asked):
            hit.append(play.client.id)
    return tuple(hit)


# -- hosts ----------------------------------------------------------------------------------------------------------------


def wants_host(found: Facts, host: str) -> bool:
    """Whether a host should exist by what is wanted."""
    urls = found.wanted.urls
    return found.wanted.host(host) or (urls is not None and any(place.startswith(f"{host}/") for place in urls))


def _host(found: Facts, label: str) -> t.Iterator[Finding]:
    """The addresses of one of the hosts that answer clients."""
    host, name = f"{label}.{found.domain}", label.replace("-", "_")
    v4, v6 = found.record(host, "A"), found.record(host, "AAAA")
    needed = wants_host(found, host)
    hit = _clients_of(found, host)
    broken = [answer.code for answer in (v4, v6) if not answer.answered]
    if broken and host not in found.given:
        what = f"the resolver cannot resolve {host}"
        yield Finding(f"dns.{name}.failed", ERROR, host, what, ", ".join(broken), hit, ("look at the name servers of the zone",))
        return
    if not found.addresses(host):
        yield from _missing_host(found, host, name, v4.aliases or v6.aliases, hit)
        return
    if not needed or host in found.given:
        return
    for kind in ("CNAME", "A", "AAAA"):
        wish = found.wanted.rrset(host, kind)
        if wish is not None and not _same(wish, _alias_or_data(found, host, kind)):
            seen = "; ".join(_alias_or_data(found, host, kind)) or "nothing"
            what = f"{host} leads elsewhere than is wanted ({kind})"
            yield Finding(f"dns.{name}.differs", ERROR, f"{host} {kind}", what, seen, hit, _replace(wish))


def _alias_or_data(found: Facts, host: str, kind: str) -> tuple[str, ...]:
    held = _held(found, (host, "A" if kind == "CNAME" else kind))
    return tuple(f"{alias}." for alias in held.aliases[:1]) if kind == "CNAME" else held.rdatas


def _missing_host(found: Facts, host: str, name: str, aliases: tuple[str, ...], hit: tuple[str, ...]) -> t.Iterator[Finding]:
    circle = tuple(dict.fromkeys((host, *aliases)))
    if len(circle) <= len(aliases):
        what, shown = f"{host} is an alias that leads in a circle", " -> ".join((*circle, aliases[len(circle) - 1]))
        yield Finding(f"dns.{name}.dangling", ERROR, host, what, shown, hit, ("correct one of these aliases",))
        return
    if aliases:
        what = f"{host} is an alias of {aliases[-1]}, which has no address"
        mend = (f"correct the alias, or add A and AAAA records of {aliases[-1]}",)
        yield Finding(f"dns.{name}.dangling", ERROR, host, what, " -> ".join(aliases), hit, mend)
        return
    severity = _severity_of_missing(found, host)
    if severity:
        what = f"{host} does not exist"
        yield Finding(f"dns.{name}.missing", severity, host, what, "no A, no AAAA", hit, _addresses_for(found, host))


def _severity_of_missing(found: Facts, host: str) -> str:
    """How bad it is that a host does not exist: an error where it is wanted, or where nothing else leads its clients."""
    if wants_host(found, host):
        return ERROR
    if found.wanted.urls is not None or host.startswith(PACC_LABEL):
        return ""
    works = {play.client.id for play in found.plays if not play.because}
    if host.startswith("autoconfig."):
        # The Android app reads the file only, Thunderbird Autodiscover too.
        return INFO if "k9" in works else WARNING if "thunderbird" in works else ERROR
    return INFO if "outlook" in works else WARNING


def _addresses_for(found: Facts, host: str) -> tuple[str, ...]:
    """The records that a missing host should have: as wanted, or as its sibling has them."""
    for kind in ("CNAME", "A", "AAAA"):
        wish = found.wanted.rrset(host, kind)
        if wish is not None:
            both = [each for each in (found.wanted.rrset(host, "A"), found.wanted.rrset(host, "AAAA")) if each]
            return mends.record(tuple(line for each in both or [wish] for line in each.lines()))
    for label in HOSTS:
        sibling = f"{label}.{found.domain}"
        lines = [f"{host}. 300 IN {kind} {rdata}" for kind in ("A", "AAAA") for rdata in found.record(sibling, kind).rdatas]
        if lines:
            return mends.record(tuple(lines))
    return (f"add A and AAAA records of {host} with the addresses of the web server", *mends.publish(found.domain))


# -- single kinds ---------------------------------------------------------------------------------------------------------


def _unwanted(found: Facts) -> t.Iterator[Finding]:
    """SRV records for services that are not offered."""
    if not found.wanted.known or not found.wanted.rrsets:
        return
    for service in SERVICE_NAMES:
        owner = f"{service}._tcp.{found.domain}"
        if found.wanted.rrset(owner, "SRV") is None:
            offered = {(each.host, each.port) for each in found.wanted.services}
            held = [record for record in srv_of(_held(found, (owner, "SRV")).rdatas) if record.target]
            for record in held:
                if (record.target, record.port) not in offered:
                    what = f"{owner} names {record.target} port {record.port}, which is not among what is wanted"
                    mend = (f"remove {owner}. IN SRV", "or add the server to the provider")
                    yield Finding("dns.srv.unwanted", WARNING, f"{owner} SRV", what, "", _clients_of(found, f"{owner} SRV"), mend)


def _srv_targets(found: Facts) -> t.Iterator[Finding]:
    for service in (*SERVICE_NAMES, "_autodiscover"):
        owner = f"{service}._tcp.{found.domain}"
        for record in srv_of(found.record(owner, "SRV").rdatas[:5]):
            target = found.record(record.target, "A")
            hit = _clients_of(found, f"{owner} SRV")
            if not record.target or not target.answered:
                continue
            if target.aliases and found.addresses(record.target):
                what = f"{owner} names {record.target}, which is an alias: some clients do not follow it (RFC 2782)"
                itself = (f"name {target.aliases[-1]} itself",)
                yield Finding("dns.srv.alias", WARNING, f"{owner} SRV", what, " -> ".join(target.aliases), hit, itself)
            elif service == "_autodiscover" and not found.addresses(record.target) and _is_own(found, record.target):
                continue  # the host is missing, which is said already
            elif service == "_autodiscover" and not found.addresses(record.target):
                mend = (f"add A and AAAA records of {record.target}", "correct the record")
                what = f"{owner} names {record.target}, which has no address"
                yield Finding("dns.srv.dangling", ERROR, f"{owner} SRV", what, "", hit, mend)


def _is_own(found: Facts, host: str) -> bool:
    return host in [f"{label}.{found.domain}" for label in HOSTS]


def _autodiscover(found: Facts) -> t.Iterator[Finding]:
    owner = f"_autodiscover._tcp.{found.domain}"
    if found.wanted.rrset(owner, "SRV") is not None:
        return  # held against what is wanted
    held = [record for record in srv_of(found.record(owner, "SRV").rdatas) if record.target]
    hit = tuple(play.client.id for play in found.plays if play.client.id in ("outlook", "thunderbird"))
    if len(held) > 1:
        what = "there are several records, of which Thunderbird takes the one with the lowest weight whatever its priority"
        yield Finding("dns.srv.several", WARNING, f"{owner} SRV", what, "", hit, ("keep one",))
    for record in held[:1]:
        if record.port != 443:
            what = f"it names port {record.port}, which Outlook and Thunderbird ignore: they ask port 443"
            right = (f"make it: {owner}. 300 IN SRV 0 0 443 {record.target}.",)
            yield Finding("dns.srv.autodiscover_port", WARNING, f"{owner} SRV", what, str(record.port), hit, right)


def _mx(found: Facts) -> t.Iterator[Finding]:
    answer = _held(found, (found.domain, "MX"))
    if found.wanted.rrset(found.domain, "MX") is not None and not answer.rdatas:
        return  # said as missing
    if not answer.rdatas and answer.answered:
        what = (
            f"{found.domain} has no MX record: mail goes to its A record, if at all, and clients that follow the MX find nothing"
        )
        mend = (f"add to the zone: {found.domain}. 300 IN MX 10 <your mail server>.",)
        yield Finding("dns.mx.missing", WARNING, f"{found.domain} MX", what, "", _clients_of(found, f"{found.domain} MX"), mend)
    for preference, host in mx_of(answer.rdatas)[:5]:
        code = found.record(host, "A").code if host else ""
        if code in ("NOERROR", "NXDOMAIN") and not found.addresses(host):
            what = f"the MX {host} has no address"
            ways = (f"remove {found.domain}. IN MX {preference} {host}.", f"or add A and AAAA records of {host}")
            hit = _clients_of(found, f"{found.domain} MX")
            yield Finding("dns.mx.dangling", ERROR, f"{found.domain} MX", what, f"{preference} {host}", hit, ways)


def _leftover(found: Facts) -> t.Iterator[Finding]:
    """``MS=`` of a former tenant of Microsoft 365: grommunio/gromox doc/autodiscover.7."""
    to_microsoft = any(host.endswith(_MICROSOFT) for _preference, host in mx_of(found.record(found.domain, "MX").rdatas))
    for rdata in found.record(found.domain, "TXT").rdatas:
        text = unquoted(rdata)
        if text.upper().startswith("MS=") and not to_microsoft:
            what = "a record of a former tenant of Microsoft 365 is left over, and sends Outlook there"
            mend = (f"remove {found.domain}. IN TXT {rdata}",)
            yield Finding("dns.ms_txt", WARNING, f"{found.domain} TXT", what, text[:100], ("outlook", "outlook-cloud"), mend)


def _authorities(found: Facts) -> t.Iterator[Finding]:
    """CAA against who has issued the certificate: what was allowed once may not be renewed."""
    for host, shown in found.hosts.items():
        allowed = _caa(found, host)
        issuer = next((each.facts.issuer for each in shown if each.facts.issuer), "")
        known = next((name for word, name in _AUTHORITIES.items() if word in issuer), "")
        if allowed is None or (known in allowed if known else allowed):
            continue
        what = f"the CAA record does not let {issuer or 'anybody'} issue a certificate for {host}: the next renewal fails"
        mend = (f'add to the zone: {host}. 300 IN CAA 0 issue "{known or "<your authority>"}"',)
        yield Finding("dns.caa.forbids", WARNING, f"{host} CAA", what, ", ".join(sorted(allowed)) or "nobody", (), mend)


def _caa(found: Facts, host: str) -> set[str] | None:
    """Who may issue for a host by the nearest CAA records; None if there are none (RFC 8659 section 3)."""
    for name in dict.fromkeys((host, found.domain)):
        issue = [rdata.split(" ", 2) for rdata in found.record(name, "CAA").rdatas]
        if issue:
            values = [
                unquoted(each[2]).partition(";")[0].strip().lower() for each in issue if len(each) == 3 and each[1] == "issue"
            ]
            return {value for value in values if value} if values else None
    return None


def _keys(found: Facts) -> t.Iterator[Finding]:
    """TLSA of the hosts against the keys that they show; only usage 3, selector 1, SHA-256 can be held against a key."""
    for host, shown in found.hosts.items():
        owner = f"_443._tcp.{host}"
        wish = found.wanted.rrset(owner, "TLSA")
        listed = [rdata.split(" ", 3) for rdata in _held(found, (owner, "TLSA")).rdatas]
        keys = {parts[3].replace(" ", "") for parts in listed if parts[:3] == ["3", "1", "1"]}
        if wish is not None and not listed:
            yield Finding(
                "dns.tlsa.missing", WARNING, f"{owner} TLSA", "the record is missing", "", (), mends.record(wish.lines())
            )
        elif keys and _shown_key(shown) not in {*keys, ""}:
            what = f"the record names another key than {host} shows"
            mend = (f"make it: {owner}. 300 IN TLSA 3 1 1 {_shown_key(shown)}",)
            yield Finding("dns.tlsa.differs", WARNING, f"{owner} TLSA", what, ", ".join(sorted(keys))[:200], (), mend)


def _shown_key(shown: t.Iterable[Shown]) -> str:
    return next((each.facts.key for each in shown if each.facts.key), "")


def _zone_servers(found: Facts) -> t.Iterator[Finding]:
    if not found.zone.reached:
        what = f"no server of {found.zone.name} answers this machine, so that only the resolver's word is known"
        mend = ("let this machine ask port 53 of others, over UDP and TCP, or see whether the servers run",)
        yield Finding("dns.zone_not_asked", INFO, f"{found.zone.name} NS", what, ", ".join(found.zone.silent), (), mend)
        return
    for server in found.zone.silent:
        what = f"{server} is named as a server of {found.zone.name} and does not answer as one"
        mend = (f"mend {server}, or remove it from the zone and from the parent",)
        yield Finding("dns.server_silent", WARNING, f"{found.zone.name} NS", what, "", (), mend)
    differing = [
        key for key, answers in found.zone.answers.items() if len({each.rdatas for each in answers}) > 1 and key[1] != "SOA"
    ]
    if differing:
        shown = ", ".join(" ".join(key) for key in differing[:6])
        what = "the servers of the zone give different answers: clients find the one or the other"
        mend = ("see whether the secondary servers transfer the zone, and raise its serial number",)
        yield Finding("dns.servers_differ", WARNING, f"{found.zone.name} NS", what, shown, (), mend)
    stale = [key for key in _compared(found) if key not in differing]
    if stale:
        what = "resolvers still have older records than the zone"
        shown = ", ".join(" ".join(key) for key in stale[:6])
        yield Finding("dns.cached", INFO, f"{found.zone.name}", what, shown, (), ("wait for the TTL to pass, and check again",))


def _compared(found: Facts) -> t.Iterator[Key]:
    """What the resolver has otherwise than the zone; addresses of sites that vary on purpose are passed over."""
    for key, answers in found.zone.answers.items():
        seen = found.record(*key)
        varies = key[1] in ("SOA", "NS") or (key[0] == found.domain and key[1] in ("A", "AAAA"))
        plain = seen.answered and not seen.aliases and not answers[0].aliases and key[0] not in found.given
        if plain and not varies and seen.rdatas != answers[0].rdatas:
            yield key
