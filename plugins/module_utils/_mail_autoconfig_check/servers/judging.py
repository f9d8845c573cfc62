"""What was found at a mail server against what is published of it: findings with their cures. Pure.

PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..model import ADDRESS, ERROR, INFO, LOCAL_PART, NO_TLS, STARTTLS, TLS, WARNING, CertificateFacts, Finding, Service
from .cures import cures
from .facts import OUTCOMES, PROBLEMS, UNREACHED, AddressFacts, LoginResult, Offer, ServerFacts

# Let's Encrypt's clients renew when a third of the life is left; below this they evidently do not.
RENEWAL_IS_LATE = 0.2
# The mechanisms of SASL behind the words of Mozilla's format, as Thunderbird takes them.
METHODS = {
    "password-cleartext": ("PLAIN", "LOGIN"),
    "password-encrypted": ("CRAM-MD5",),
    "OAuth2": ("XOAUTH2", "OAUTHBEARER"),
    "GSSAPI": ("GSSAPI",),
    "NTLM": ("NTLM",),
    "TLS-client-cert": ("EXTERNAL",),
}
_OLD_TLS = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1")
_NAMES = {
    "imap": "IMAP",
    "pop3": "POP3",
    "smtp": "SMTP",
    "managesieve": "ManageSieve",
    "http": "HTTP",
    "ssh": "SSH",
    "ftp": "FTP",
}
_MODES = {TLS: "SSL", STARTTLS: "STARTTLS", NO_TLS: "plain"}
_CERTIFICATE_FAULTS = {
    "expired": "its certificate has expired",
    "not_yet_valid": "its certificate is not valid yet",
    "wrong_name": "its certificate is for other names",
    "self_signed": "its certificate is signed by itself, which no mail client believes",
    "unknown_authority": "its certificate is of an authority that is not known here",
    "chain": "its certificate does not lead to a known authority: an intermediate is missing, or the authority is unknown",
    "invalid": "its certificate is not valid",
}


@dataclasses.dataclass(frozen=True)
class _Fault:
    """One fault at one address; the same at several is one finding."""

    name: str
    severity: str
    what: str
    seen: str = ""
    cure: str = ""
    names: tuple[str, ...] = ()


def judge(published: Service, facts: ServerFacts) -> tuple[Finding, ...]:
    """What is wrong with a server for those who follow what is published; nothing if it has no address.

    Codes: ``server.`` and one of facts.PROBLEMS, or ``unreachable``, ``ipv4_unreachable``, ``ipv6_unreachable``, ``not_asked``,
    ``certificate_`` and one of connections.CERTIFICATE_FAULTS or ``unchecked``, ``certificate_expiring``, ``tls_old``,
    ``authentication``, ``login_before_tls``, ``no_tls``, ``injected``.
    """
    faults = [(each.address, fault) for each in facts.addresses for fault in _faults(published, each)]
    asked = [each for each in facts.addresses if each.is_reached]
    found = list(_reach(published, facts))
    for fault in dict.fromkeys(fault for _address, fault in faults):
        where = [address for address, other in faults if other == fault]
        found.append(_finding(published, fault, where if len(where) < len(asked) else ()))
    return tuple(found)


def judge_login(published: Service, result: LoginResult, other: LoginResult | None = None) -> tuple[Finding, ...]:
    """What is wrong with a login that follows what is published.

    :arg other: how it ended with the other form of the user name (local part for address and the reverse), if that was tried

    Codes: ``server.login_`` and one of facts.OUTCOMES but ``accepted``, or ``server.login_name``. Where the password was not
    sent, :func:`judge` has said why.
    """
    if result.outcome in ("accepted", "insecure", "unreachable"):
        return ()
    seen = " ".join(word for word in (result.mechanism, result.code) if word)
    if result.outcome == "refused" and other is not None and other.outcome == "accepted":
        right = LOCAL_PART if published.username != LOCAL_PART else ADDRESS
        what = f"it wants another user name than the published {published.username or ADDRESS}: {right} logs in"
        return (_login_finding(published, "login_name", ERROR, what, seen, (f"publish username {right}",)),)
    mends = {
        "refused": (),
        "no_mechanism": (),
        "temporary": ("try again later; look into the log of the mail server",),
    }.get(result.outcome, ("look into the log of the mail server",))
    severity = WARNING if result.outcome == "temporary" else ERROR
    return (_login_finding(published, f"login_{result.outcome}", severity, OUTCOMES[result.outcome], seen, mends),)


def _login_finding(published: Service, name: str, severity: str, what: str, seen: str, mends: tuple[str, ...]) -> Finding:
    fault = "authentication" if name == "login_no_mechanism" else name
    more = cures(fault, published.protocol, published.host, published.port)
    return Finding(f"server.{name}", severity, str(published), what, seen, (), (*mends, *more))


def _finding(published: Service, fault: _Fault, addresses: t.Sequence[str]) -> Finding:
    where = f"{published} at {', '.join(addresses)}" if addresses else str(published)
    mends = cures(fault.cure or fault.name, published.protocol, published.host, published.port, fault.names)
    return Finding(f"server.{fault.name}", fault.severity, where, fault.what, fault.seen, (), mends)


def _reach(published: Service, facts: ServerFacts) -> t.Iterator[Finding]:
    """What keeps clients from getting there at all."""
    lost = [each for each in facts.addresses if each.problem in UNREACHED]
    unasked = [each for each in facts.addresses if each.problem == "no_route"]
    reached = [each for each in facts.addresses if each.is_reached]
    seen = "; ".join(f"{each.address}: {PROBLEMS[each.problem]}" for each in lost[:6])
    if unasked:
        what = f"{', '.join(each.address for each in unasked[:6])} could not be asked: {PROBLEMS['no_route']}"
        yield Finding("server.not_asked", INFO, str(published), what, "", (), ("run the check where IPv4 and IPv6 work",))
    if lost and not reached:
        yield _finding(published, _Fault("unreachable", ERROR, "it cannot be reached", seen), ())
        return
    for family in ("IPv4", "IPv6"):
        of_family = [each for each in lost if each.family == family]
        if of_family:
            severity = ERROR if family == "IPv4" else WARNING
            what = f"it cannot be reached over {family}, though its name has such an address: clients wait, or give up"
            addresses = [each.address for each in of_family]
            yield _finding(published, _Fault(f"{family.lower()}_unreachable", severity, what, seen), addresses)


def _faults(published: Service, facts: AddressFacts) -> t.Iterator[_Fault]:
    """What is wrong at an address that takes connections."""
    if not facts.is_reached:
        return
    if facts.problem:
        yield _broken_off(published, facts)
    if facts.certificate is not None and facts.problem not in ("tls_unexpected", "other_protocol"):
        yield from _certificate_faults(facts.certificate, facts.certificate_problems)
    if facts.injected:
        what = "it sends something between the answer to STARTTLS and TLS, where a third party could speak"
        yield _Fault("injected", WARNING, what)
    yield from _password_in_clear(published, facts)
    offer = facts.before if published.tls == NO_TLS else facts.after
    if offer is not None:
        yield from _authentication_faults(published, offer, facts.greeting)


def _broken_off(published: Service, facts: AddressFacts) -> _Fault:
    """Why no dialogue came to its end."""
    mode = _MODES[published.tls]
    whats = {
        "tls_missing": f"{mode} is published, but the port speaks without TLS from the start",
        "tls_unexpected": f"{mode} is published, but the port speaks TLS from the start",
        "other_protocol": f"{_NAMES.get(facts.spoken, 'something else')} is spoken on the port, not {_NAMES[published.protocol]}",
        "no_starttls": "STARTTLS is published, but the server does not offer it",
        "starttls_failed": "STARTTLS is offered, but the handshake does not come about",
    }
    return _Fault(facts.problem, ERROR, whats.get(facts.problem, PROBLEMS[facts.problem]), facts.detail)


def _certificate_faults(certificate: CertificateFacts, problems: tuple[str, ...]) -> t.Iterator[_Fault]:
    names = certificate.names
    for problem in problems:
        seen = {
            "expired": f"not after {certificate.not_after}",
            "not_yet_valid": f"not before {certificate.not_before}",
            "wrong_name": f"names: {', '.join(names[:6]) or 'none'}",
        }.get(problem, f"issuer: {certificate.issuer or 'none'}; {certificate.error}")
        if problem in _CERTIFICATE_FAULTS:
            yield _Fault(f"certificate_{problem}", ERROR, _CERTIFICATE_FAULTS[problem], seen, names=names)
        elif certificate.protocol in _OLD_TLS:
            yield _Fault(
                "tls_old", ERROR, f"it has no newer TLS than {certificate.protocol}, which clients refuse", certificate.error
            )
        else:
            yield _Fault("tls_failed", ERROR, "the handshake fails as clients do it", certificate.error)
    if not problems and certificate.protocol in _OLD_TLS:
        yield _Fault("tls_old", WARNING, f"it has no newer TLS than {certificate.protocol}", certificate.protocol)
    if not problems and certificate.share_left is not None and certificate.share_left < RENEWAL_IS_LATE:
        what = f"its certificate expires in {certificate.days_left} days and was not renewed in time"
        yield _Fault("certificate_expiring", WARNING, what, f"not after {certificate.not_after}", "certificate_expired")


def _password_in_clear(published: Service, facts: AddressFacts) -> t.Iterator[_Fault]:
    if published.tls == NO_TLS:
        yield _Fault("no_tls", ERROR, "it is published without TLS: passwords cross the network in clear")
    # Servers let their own machine do it, and nobody else.
    elif facts.before is not None and facts.before.takes_passwords and not facts.is_own:
        what = "it takes passwords before TLS: a client that is set up wrongly sends them in clear"
        yield _Fault("login_before_tls", WARNING, what, _shown(facts.before))


def _authentication_faults(published: Service, offer: Offer, greeting: str) -> t.Iterator[_Fault]:
    """Published methods that are not offered; the first published is the one that clients take."""
    seen = f"offered: {_shown(offer)}"
    if not published.authentication and not offer.mechanisms and not offer.login_command:
        yield _Fault("authentication", ERROR, "it offers no authentication", seen)
    for number, method in enumerate(published.authentication):
        if method == "password-cleartext" and offer.login_command and offer.mechanisms and not offer.takes_passwords_by_sasl:
            what = "password-cleartext is published, but PLAIN and LOGIN are not among the mechanisms: the login may fail"
            yield _Fault("authentication", WARNING, what, seen)
        elif method in METHODS and not _offers(offer, method, greeting):
            severity = ERROR if number == 0 else WARNING
            special = {"password-cleartext": "", "password-encrypted": "authentication_encrypted"}
            cure = special.get(method, "authentication_other")
            # Where nothing is offered at all, authentication is off.
            cure = cure if offer.mechanisms or offer.login_command else "authentication"
            yield _Fault("authentication", severity, f"{method} is published, but not offered", seen, cure)


def _offers(offer: Offer, method: str, greeting: str) -> bool:
    if method == "password-cleartext" and offer.login_command:
        return True
    if method == "password-encrypted" and greeting.startswith("+OK") and "<" in greeting and "@" in greeting:
        return True  # APOP (RFC 1939 section 7)
    return not set(METHODS[method]).isdisjoint(offer.mechanisms)


def _shown(offer: Offer) -> str:
    own = ("the protocol's own login",) if offer.login_command else ()
    return ", ".join((*offer.mechanisms, *own)) or "nothing"
