"""What is found at a server against what is published: each fault by its name, with its cure, and no other."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.model import (
    CertificateFacts,
    Finding,
    Service,
)
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.servers import (
    AddressFacts,
    LoginResult,
    Offer,
    ServerFacts,
    cures,
    facts,
    judge,
    judge_login,
    judging,
)

HOST = "mail.server.tld"
GOOD = CertificateFacts(
    HOST, 993, (HOST,), "CA", not_after="2026-12-01T00:00:00+00:00", days_left=60, share_left=0.7, protocol="TLSv1.3"
)
OFFER = Offer(("PLAIN", "LOGIN"), login_command=True)
FINE = AddressFacts("192.0.2.1", greeting="* OK", spoken="imap", certificate=GOOD, after=OFFER)
IPV6 = dataclasses.replace(FINE, address="2001:db8::1")


def service(protocol: str = "imap", port: int = 993, tls: str = "tls", *authentication: str) -> Service:
    return Service(protocol, HOST, port, tls, "%EMAILADDRESS%", authentication or ("password-cleartext",))


def judged(published: Service, *addresses: AddressFacts) -> list[tuple[str, str]]:
    return [(finding.code, finding.severity) for finding in all_of(published, *addresses)]


def all_of(published: Service, *addresses: AddressFacts) -> tuple[Finding, ...]:
    return judge(published, ServerFacts(published.endpoint, addresses))


def but(base: AddressFacts = FINE, **changes: Any) -> AddressFacts:
    return dataclasses.replace(base, **changes)


def shown(**changes: Any) -> CertificateFacts:
    return dataclasses.replace(GOOD, **changes)


def test_nothing_is_said_of_what_is_right() -> None:
    assert judged(service(), FINE, IPV6) == []
    assert judged(service("imap", 143, "starttls"), but(before=Offer(starttls=True))) == []
    assert judged(service()) == [], "a name without addresses is not the server's fault"


@pytest.mark.parametrize(
    ("addresses", "codes"),
    [
        ((but(problem="refused"), but(IPV6, problem="timeout")), [("server.unreachable", "error")]),
        ((FINE, but(IPV6, problem="refused")), [("server.ipv6_unreachable", "warning")]),
        ((but(problem="refused"), IPV6), [("server.ipv4_unreachable", "error")]),
        ((FINE, but(IPV6, problem="no_route")), [("server.not_asked", "info")]),
        (
            (but(problem="refused"), but(IPV6, problem="no_route")),
            [("server.not_asked", "info"), ("server.unreachable", "error")],
        ),
    ],
)
def test_what_is_not_reached(addresses: tuple[AddressFacts, ...], codes: list[tuple[str, str]]) -> None:
    assert judged(service(), *(but(each, certificate=None, after=None) if each.problem else each for each in addresses)) == codes


@pytest.mark.parametrize("problem", [each for each in facts.PROBLEMS if each not in (*facts.UNREACHED, "no_route")])
@pytest.mark.parametrize("protocol", ["imap", "pop3", "smtp", "managesieve"])
def test_each_problem_has_its_name_and_a_cure(protocol: str, problem: str) -> None:
    bare = AddressFacts("192.0.2.1", problem, "detail", spoken="http")
    (finding,) = all_of(service(protocol), bare)
    assert (finding.code, finding.severity, finding.seen) == (f"server.{problem}", "error", "detail")
    assert finding.what
    assert finding.mends
    assert all(finding.mends)
    assert not any("{" in mend for mend in finding.mends)


@pytest.mark.parametrize("fault", sorted({*cures._BOTH, *cures._BY_PROGRAM["dovecot"], *cures._BY_PROGRAM["postfix"]}))
@pytest.mark.parametrize("protocol", ["imap", "smtp"])
def test_every_line_of_a_cure_says_something(protocol: str, fault: str) -> None:
    assert all(cures.cures(fault, protocol, "mail.server.tld", 993))


@pytest.mark.parametrize(
    ("certificate", "problems", "codes", "cure"),
    [
        (shown(), ("expired",), ["server.certificate_expired"], "certbot renew"),
        (
            shown(names=("a.tld", "*.b.tld")),
            ("wrong_name",),
            ["server.certificate_wrong_name"],
            "hostname that the certificate names: a.tld",
        ),
        (shown(), ("self_signed", "wrong_name"), ["server.certificate_self_signed", "server.certificate_wrong_name"], HOST),
        (shown(), ("chain",), ["server.certificate_chain"], "fullchain.pem"),
        (shown(protocol="TLSv1"), ("unchecked",), ["server.tls_old"], "ssl_min_protocol"),
        (shown(error="odd"), ("unchecked",), ["server.tls_failed"], "doveconf"),
        (shown(share_left=0.1), (), ["server.certificate_expiring"], "certbot renew"),
        (shown(share_left=0.21), (), [], ""),
    ],
)
def test_certificates(certificate: CertificateFacts, problems: tuple[str, ...], codes: list[str], cure: str) -> None:
    found = all_of(service(), but(certificate=certificate, certificate_problems=problems))
    assert [finding.code for finding in found] == codes
    assert all(any(cure in mend for mend in finding.mends) for finding in found[:1])


@pytest.mark.parametrize(
    ("published", "offer", "codes"),
    [
        (("password-cleartext",), Offer(("PLAIN",)), []),
        (("password-cleartext",), Offer((), login_command=True), []),
        (("password-cleartext",), Offer(("CRAM-MD5",)), [("server.authentication", "error")]),
        (("password-cleartext",), Offer(("CRAM-MD5",), login_command=True), [("server.authentication", "warning")]),
        (("password-encrypted",), Offer(("PLAIN",)), [("server.authentication", "error")]),
        (("password-encrypted", "password-cleartext"), Offer(("CRAM-MD5", "PLAIN")), []),
        (("password-cleartext", "OAuth2"), Offer(("PLAIN",)), [("server.authentication", "warning")]),
        (("OAuth2",), Offer(("XOAUTH2",)), []),
        (("client-IP-address",), Offer(), []),
    ],
)
def test_authentication(published: tuple[str, ...], offer: Offer, codes: list[tuple[str, str]]) -> None:
    assert judged(service("imap", 993, "tls", *published), but(after=offer)) == codes


def test_nothing_published_and_nothing_offered() -> None:
    said_nothing = dataclasses.replace(service("smtp", 465), authentication=())
    assert judged(said_nothing, but(after=Offer())) == [("server.authentication", "error")]
    assert judged(said_nothing, but(after=Offer(("XOAUTH2",)))) == []


def test_apop_is_an_encrypted_password() -> None:
    published = service("pop3", 995, "tls", "password-encrypted")
    assert judged(published, but(greeting="+OK <1@mail.tld>")) == []
    assert judged(published, but(greeting="+OK hi")) == [("server.authentication", "error")]


def test_passwords_before_tls() -> None:
    published = service("imap", 143, "starttls")
    open_to_all = but(before=Offer(("PLAIN",), starttls=True))
    (finding,) = all_of(published, open_to_all)
    assert (finding.code, finding.severity) == ("server.login_before_tls", "warning")
    assert finding.mends == ("Dovecot 2.3: disable_plaintext_auth = yes", "Dovecot 2.4: auth_allow_cleartext = no")
    # A server says more to the machine that it runs on.
    assert judged(published, dataclasses.replace(open_to_all, is_own=True)) == []
    (finding,) = all_of(service("smtp", 587, "starttls"), open_to_all)
    assert finding.mends == ("Postfix: smtpd_tls_auth_only = yes",)


def test_no_tls_is_published() -> None:
    assert judged(service("imap", 143, "none"), but(certificate=None, before=OFFER, after=None)) == [("server.no_tls", "error")]


def test_a_fault_of_all_addresses_is_one_finding_and_of_one_names_it() -> None:
    wrong = {"certificate": shown(), "certificate_problems": ("expired",)}
    (both,) = all_of(service(), but(**wrong), but(IPV6, **wrong))
    assert both.where == f"IMAP {HOST}:993 (tls)"
    (one,) = all_of(service(), FINE, but(IPV6, **wrong))
    assert one.where == f"IMAP {HOST}:993 (tls) at 2001:db8::1"


@pytest.mark.parametrize("outcome", facts.OUTCOMES)
def test_logins(outcome: str) -> None:
    found = judge_login(service(), LoginResult(outcome, "192.0.2.1", "PLAIN", "AUTH"))
    if outcome in ("accepted", "insecure", "unreachable"):
        assert found == ()
    else:
        (finding,) = found
        assert (finding.code, finding.seen) == (f"server.login_{outcome}", "PLAIN AUTH")
        assert finding.severity == ("warning" if outcome == "temporary" else "error")
        assert finding.mends


@pytest.mark.parametrize(
    ("published", "right"),
    [("%EMAILADDRESS%", "%EMAILLOCALPART%"), ("", "%EMAILLOCALPART%"), ("%EMAILLOCALPART%", "%EMAILADDRESS%")],
)
def test_the_other_form_of_the_user_name(published: str, right: str) -> None:
    said = dataclasses.replace(service(), username=published)
    (finding,) = judge_login(said, LoginResult("refused"), LoginResult("accepted"))
    assert finding.code == "server.login_name"
    assert finding.mends[0] == f"publish username {right}"
    (finding,) = judge_login(said, LoginResult("refused"), LoginResult("refused"))
    assert finding.code == "server.login_refused"


def test_words_of_a_certificate_are_no_format() -> None:
    assert cures.cures("certificate_wrong_name", "imap", HOST, 993, ["{host.__class__}"])[-1].endswith(": {host.__class__}")


def test_data_is_plain() -> None:
    data = ServerFacts(service().endpoint, (FINE, IPV6), LoginResult("accepted")).as_data()
    assert [each["family"] for each in data["addresses"]] == ["IPv4", "IPv6"]
    assert data["addresses"][0]["after"] == {"mechanisms": ["PLAIN", "LOGIN"], "starttls": False, "login_command": True}
    assert data["login"]["outcome"] == "accepted"
    assert judging.RENEWAL_IS_LATE < 1 / 3
