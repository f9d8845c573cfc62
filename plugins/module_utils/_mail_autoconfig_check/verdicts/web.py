"""Web hosts and what they answer: reachability, certificates, statuses, redirects, types. Pure.

PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from ..certificates import Shown
from ..connections import CERTIFICATE_FAULTS, SENTENCES
from ..gathering import HOSTS, Facts, Page
from ..model import ERROR, INFO, WARNING, Finding
from ..names import base_domain
from ..web import FAULTS, printable
from . import mends
from .records import judge as judge_records
from .records import wants_host

# Thunderbird and FairEmail look at the type; Apple's devices and PACC's clients at theirs.
TYPES = {
    "autoconfig": ("text/xml", "application/xml"),
    "well_known": ("text/xml", "application/xml"),
    "autodiscover": ("text/xml", "application/xml"),
    "autodiscover_apex": ("text/xml", "application/xml"),
    "json": ("application/json",),
    "profile": ("application/x-apple-aspen-config",),
    "pacc": ("application/json",),
}
# Thunderbird waits five seconds for each place, and two for Autodiscover's.
SLOW = 3000
# Certbot renews when a third of the life is left; below this it evidently did not.
RENEWAL_IS_LATE = 0.2
_OLD_TLS = ("SSLv3", "TLSv1", "TLSv1.1")
_APEX = ("well_known", "autodiscover_apex")


def judge(found: Facts) -> t.Iterator[Finding]:
    """Everything that is wrong with hosts and their answers; a host that leads elsewhere is not looked at."""
    astray = {finding.where.partition(" ")[0] for finding in judge_records(found) if finding.code.endswith(".differs")}
    for host, shown in found.hosts.items():
        if host not in astray:
            yield from _host(found, host, shown)
    for page in found.pages:
        host = urlsplit(page.question.url).hostname or ""
        shown = found.hosts.get(host, ())
        if shown and host not in astray and not all(each.fault for each in shown):
            yield from _page(found, page)


def hit_by(found: Facts, host: str) -> tuple[str, ...]:
    """The clients that asked a host on their way."""
    return tuple(
        play.client.id for play in found.plays if any(urlsplit(url).hostname == host for url in play.asked if "://" in url)
    )


# -- hosts ----------------------------------------------------------------------------------------------------------------


def _weight(found: Facts, host: str) -> str:
    """How bad a fault of a whole host is: an error where the host is wanted, or where nobody said and clients depend on it."""
    if host == found.domain:
        return ERROR if found.wanted.urls is not None and wants_host(found, host) else INFO
    if found.wanted.urls is not None:
        return ERROR if wants_host(found, host) else WARNING
    return ERROR if host.startswith("autoconfig.") else WARNING


def _host(found: Facts, host: str, shown: tuple[Shown, ...]) -> t.Iterator[Finding]:
    faults = [each for each in shown if each.fault and each.fault != "no_route"]
    weight, hit = _weight(found, host), hit_by(found, host)
    asked = [each for each in shown if each.fault != "no_route"]
    if not asked:
        what = f"no address of {host} could be asked: {SENTENCES['no_route']}"
        yield Finding("check.no_route", INFO, host, what, "", (), ("run the check where IPv4 and IPv6 work",))
        return
    certificate_faults = [each for each in faults if each.fault in CERTIFICATE_FAULTS]
    for each in certificate_faults[:1]:
        yield _certificate(found, host, each, weight)
    links = [each for each in faults if each.fault not in CERTIFICATE_FAULTS]
    if links and len(links) == len(asked):
        yield _unreached(found, host, links[0], weight)
    elif links:
        for each in links[:1]:
            family = "ipv6" if ":" in each.address else "ipv4"
            what = f"{host} does not answer at {each.address}, but at others: clients wait, or give up"
            mend = (
                f"open port 443 for {each.address}, and see that Apache listens there",
                "or remove the record of this address",
            )
            severity = WARNING if weight == ERROR else INFO
            yield Finding(f"http.{family}_unreachable", severity, host, what, SENTENCES[each.fault], hit, mend)
    for each in [each for each in asked if not each.fault][:1]:
        yield from _ageing(found, host, each, weight)


def _certificate(found: Facts, host: str, shown: Shown, weight: str) -> Finding:
    facts = shown.facts
    seen = {
        "expired": f"expired {facts.not_after}",
        "not_yet_valid": f"valid from {facts.not_before}",
        "wrong_name": f"it names {', '.join(facts.names[:6]) or 'no host'}",
    }.get(shown.fault, f"issued by {facts.issuer or 'nobody that can be read'}")
    cures = {
        "expired": mends.renewal(host, found.domain),
        "not_yet_valid": ("set the clock of the server, or wait",),
        "chain": ("serve the whole chain: fullchain.pem rather than cert.pem", "or name a CA file with the option ca_file"),
        "unknown_authority": ("get a certificate of a public authority", "or name a CA file with the option ca_file"),
    }
    mend = cures.get(shown.fault, mends.certificate(host, found.domain))
    return Finding(f"tls.{shown.fault}", weight, host, SENTENCES[shown.fault], seen, hit_by(found, host), mend)


def _unreached(found: Facts, host: str, shown: Shown, weight: str) -> Finding:
    hit = hit_by(found, host)
    mend: tuple[str, ...]
    if shown.fault in ("garbage", "handshake"):
        mend = (f"switch TLS on for {host} on port 443: run the role with a certificate that names it",)
        if shown.fault == "handshake":
            mend = ("let Apache speak TLS 1.2 and 1.3: SSLProtocol -all +TLSv1.2 +TLSv1.3",)
        return Finding(f"tls.{shown.fault}", weight, host, SENTENCES[shown.fault], shown.detail[:100], hit, mend)
    what = f"nobody answers at {host} port 443: {SENTENCES[shown.fault]}"
    mend = mends.certificate(host, found.domain) if shown.fault == "refused" else ()
    mend = ("open port 443 in the firewall, and see that Apache runs and listens there", *mend)
    # What clients take by plain HTTP instead is said by those that do.
    return Finding(f"http.{shown.fault}", weight, host, what, shown.address, hit, mend)


def _ageing(found: Facts, host: str, shown: Shown, weight: str) -> t.Iterator[Finding]:
    facts = shown.facts
    severity = WARNING if weight == ERROR else INFO
    if facts.share_left is not None and facts.share_left < RENEWAL_IS_LATE and (facts.days_left or 0) < 30:
        what = f"the certificate expires in {facts.days_left} days and should have been renewed"
        mend = mends.renewal(host, found.domain)
        yield Finding("tls.expires_soon", severity, host, what, f"until {facts.not_after}", hit_by(found, host), mend)
    if facts.protocol in _OLD_TLS:
        what = f"the host speaks {facts.protocol} at best, which many clients refuse"
        mend = ("let Apache speak TLS 1.2 and 1.3: SSLProtocol -all +TLSv1.2 +TLSv1.3",)
        yield Finding("tls.old", severity, host, what, facts.protocol, hit_by(found, host), mend)


# -- pages ----------------------------------------------------------------------------------------------------------------


def need(found: Facts, page: Page) -> str:
    """How bad it is if a page is not there; empty if nobody misses it."""
    url = page.question.url
    if found.wanted.urls is not None:
        return ERROR if found.wanted.page(url) else ""
    client = {"autoconfig": ("thunderbird", ERROR), "autodiscover": ("outlook", WARNING)}.get(page.key)
    if page.key == "pacc":
        # Whoever has a digest for it means it.
        return WARNING if found.record(f"_{HOSTS[2]}.{found.domain}", "TXT").rdatas else ""
    if client is None:
        return ""
    # The host has a name that is for nothing else, so that something should be there even if clients get on without it.
    works = any(play.client.id == client[0] and not play.because for play in found.plays)
    return WARNING if works else client[1]


def _page(found: Facts, page: Page) -> t.Iterator[Finding]:
    severity = need(found, page)
    url, answer = page.question.url.partition("?")[0], page.answer
    hit = _asked(found, page)
    yield from _on_the_way(found, page, severity, hit)
    if answer.fault:
        harmful = answer.fault in ("redirect_loop", "too_large", "timeout")
        if severity or harmful:
            what = f"{FAULTS[answer.fault]}"
            mend = _mend(found, page)
            yield Finding(f"http.{answer.fault}", severity or INFO, url, what, _trace(page), hit, mend)
        return
    if answer.status in (401, 403) and (severity or answer.status == 401):
        what = "it asks for a password, or forbids: no client can read settings there" + (
            ", and some send the user's password" if answer.status == 401 else ""
        )
        mend = ("let everybody read it: Require all granted, and no AuthType, for this path", *_mend(found, page))
        yield Finding("http.authentication", severity or WARNING, url, what, str(answer.status), hit, mend)
    elif not answer.ok and severity:
        code, what = _status(answer.status)
        yield Finding(code, severity, url, what, str(answer), hit, _mend(found, page))
    elif answer.ok:
        yield from _content(found, page, severity, hit)


def _asked(found: Facts, page: Page) -> tuple[str, ...]:
    """The clients that asked for a page on their way, with whatever query."""
    where = page.question.url.partition("?")[0]
    return tuple(play.client.id for play in found.plays if any(url.partition("?")[0] == where for url in play.asked))


def _trace(page: Page) -> str:
    return " -> ".join([*(hop.url.partition("?")[0] for hop in page.answer.hops[:5]), page.answer.url.partition("?")[0]])[:400]


def _status(status: int) -> tuple[str, str]:
    if status == 404:
        return "http.not_found", "there is nothing"
    if status >= 500:
        return "http.server_error", "the web server fails"
    return "http.status", "the answer is no document"


def _mend(found: Facts, page: Page) -> tuple[str, ...]:
    return mends.own_site(found.domain) if page.key in _APEX else mends.publish(found.domain)


def _on_the_way(found: Facts, page: Page, severity: str, hit: tuple[str, ...]) -> t.Iterator[Finding]:
    """Redirects that cost trust, and time."""
    answer = page.answer
    url = page.question.url.partition("?")[0]
    if answer.ok and page.document is not None and not answer.secure:
        what = "it redirects from HTTPS to plain HTTP, where anybody on the way can change the settings"
        yield Finding("http.downgrade", ERROR, url, what, _trace(page), hit, ("redirect to https://, or answer at once",))
    host = urlsplit(answer.url).hostname or ""
    if (
        answer.hops
        and page.document is not None
        and page.key.startswith("autodiscover")
        and base_domain(host) != base_domain(found.domain)
    ):
        what = f"it redirects to {host}, another domain: Outlook and Thunderbird ask the user whether that is right"
        severity = WARNING if severity else INFO
        yield Finding("http.foreign_redirect", severity, url, what, _trace(page), hit, ("answer here, without a redirect",))
    if answer.ok and answer.milliseconds > SLOW:
        what = f"the answer takes {answer.milliseconds} ms; Thunderbird waits no longer than 5 s, for Autodiscover 2 s"
        yield Finding(
            "http.slow", WARNING, url, what, "", hit, ("look at the load of the web server, and at its name resolution",)
        )


def _content(found: Facts, page: Page, severity: str, hit: tuple[str, ...]) -> t.Iterator[Finding]:
    """A success that is none, or of another type."""
    url, answer = page.question.url.partition("?")[0], page.answer
    code, sentence = page.problem
    if code == "html":
        stopped = [play.client.name for play in found.plays if url in play.stopped_at]
        what = "a web page comes where settings belong" + (f", which ends the search of {', '.join(stopped)}" if stopped else "")
        yield Finding("http.web_page", severity or INFO, url, what, answer.media_type, hit, _mend(found, page))
    elif code:
        mend = (*_mend(found, page), "see whether something in front of Apache changes what it answers")
        yield Finding(f"document.{code}", severity or WARNING, url, sentence, printable(str(answer.body[:80]))[2:-1], hit, mend)
    elif answer.media_type not in TYPES[page.key]:
        right = TYPES[page.key][0]
        what = f"the Content-Type is {printable(answer.media_type) or 'not given'}, and some clients read {right} only"
        mend = (f"send {right}: mod_mime's ForceType, or AddType; the role's own sites do",)
        shown = printable(answer.headers.get("content-type", "none"))
        yield Finding("http.content_type", severity or WARNING, url, what, shown, hit, mend)
