"""What the check says of real mail servers: nothing where all is right, and exactly the fault where one setting is wrong."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check import servers
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.model import Finding, Service

from tools.containers import container_address

Host = Any
T = TypeVar("T")

AUTHORITY = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"]) / ".cache/ca/ca.pem"
TIMEOUT = 5.0
# Dovecot answers a wrong password after up to 15 seconds, if there were others before.
PATIENCE = 30.0
ANNA = ("anna@server.tld", 'Grüße an "Anna"')
# Postfix asks Dovecot for the mechanisms once.
RELOAD_DOVECOT = "doveadm reload && postfix reload"
RELOAD_POSTFIX = "postfix reload"
MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")


def service(protocol: str, port: int, tls: str, *authentication: str) -> Service:
    """A server as it is published."""
    return Service(protocol, "mail.server.tld", port, tls, "%EMAILADDRESS%", authentication or ("password-cleartext",))


SERVICES = {
    "imaps": service("imap", 993, "tls"),
    "imap": service("imap", 143, "starttls"),
    "pop3s": service("pop3", 995, "tls"),
    "pop3": service("pop3", 110, "starttls"),
    "submissions": service("smtp", 465, "tls"),
    "submission": service("smtp", 587, "starttls"),
    "sieve": service("managesieve", 4190, "starttls"),
}


class Fault(NamedTuple):
    """A setting that is wrong.

    :ivar dovecot: lines for its configuration; by release where they differ
    :ivar postfix: arguments of postconf, which are taken back by those of ``PUBLISHED``
    :ivar findings: what the check says, by service: the code, and a word of a cure; no others are said
    """

    findings: dict[str, tuple[str, str]]
    dovecot: dict[str, str] | str = ""
    postfix: tuple[str, ...] = ()


def listener(protocol: str, name: str, setting: str) -> str:
    return f"service {protocol}-login {{\n inet_listener {name} {{\n {setting}\n }}\n}}\n"


OTHER = "/etc/letsencrypt/live/other.tld/fullchain.pem", "/etc/letsencrypt/live/other.tld/privkey.pem"
OWN = "/etc/ssl/private/own.pem", "/etc/ssl/private/own.key"


def certificate(files: tuple[str, str]) -> dict[str, str]:
    return {
        "12": "ssl_cert = <{}\nssl_key = <{}\n".format(*files),
        "13": "ssl_server_cert_file = {}\nssl_server_key_file = {}\n".format(*files),
    }


ALL_OF_DOVECOT = ("imaps", "imap", "pop3s", "pop3", "sieve")
CLEAR = {"12": "disable_plaintext_auth = no\nssl = yes\n", "13": "auth_allow_cleartext = yes\nssl = yes\n"}
FAULTS = {
    "no STARTTLS at Dovecot": Fault(
        {
            **dict.fromkeys(("imap", "pop3", "sieve"), ("server.no_starttls", "ssl = required")),
            **dict.fromkeys(("imaps", "pop3s"), ("server.unreachable", "protocols")),
        },
        "ssl = no\n",
    ),
    "no STARTTLS at Postfix": Fault(
        {"submission": ("server.no_starttls", "smtpd_tls_security_level=encrypt")},
        postfix=("submission/inet/smtpd_tls_security_level=none",),
    ),
    "passwords before TLS at Dovecot": Fault(
        dict.fromkeys(("imap", "pop3", "sieve"), ("server.login_before_tls", "auth_allow_cleartext = no")), CLEAR
    ),
    "passwords before TLS at Postfix": Fault(
        {"submission": ("server.login_before_tls", "smtpd_tls_auth_only = yes")},
        postfix=("submission/inet/smtpd_tls_auth_only=no", "submission/inet/smtpd_tls_security_level=may"),
    ),
    "a certificate of another host at Dovecot": Fault(
        dict.fromkeys(ALL_OF_DOVECOT, ("server.certificate_wrong_name", "-d mail.server.tld")), certificate(OTHER)
    ),
    "a certificate of another host at Postfix": Fault(
        dict.fromkeys(("submissions", "submission"), ("server.certificate_wrong_name", "other.tld")),
        postfix=tuple(f"{name}/inet/smtpd_tls_chain_files={OTHER[1]},{OTHER[0]}" for name in ("submissions", "submission")),
    ),
    "a certificate signed by itself": Fault(
        dict.fromkeys(ALL_OF_DOVECOT, ("server.certificate_self_signed", "fullchain.pem")), certificate(OWN)
    ),
    "another mechanism at Dovecot": Fault(
        dict.fromkeys((*ALL_OF_DOVECOT, "submissions", "submission"), ("server.authentication", "auth_mechanisms = plain login")),
        "auth_mechanisms = cram-md5\n",
    ),
    "no authentication at Postfix": Fault(
        {"submissions": ("server.authentication", "smtpd_sasl_auth_enable=yes")},
        postfix=("submissions/inet/smtpd_sasl_auth_enable=no",),
    ),
    "TLS modes of Postfix exchanged": Fault(
        {
            "submissions": ("server.tls_missing", "smtpd_tls_wrappermode=yes"),
            "submission": ("server.tls_unexpected", "socket_type SSL for port 587"),
        },
        postfix=("submissions/inet/smtpd_tls_wrappermode=no", "submission/inet/smtpd_tls_wrappermode=yes"),
    ),
    "TLS modes of Dovecot exchanged": Fault(
        {"imaps": ("server.tls_missing", "port 993"), "imap": ("server.tls_unexpected", "socket_type SSL for port 143")},
        listener("imap", "imaps", "ssl = no") + listener("imap", "imap", "ssl = yes"),
    ),
    "a port that is off": Fault({"imaps": ("server.unreachable", "port = 993")}, listener("imap", "imaps", "port = 0")),
    "POP3 on the port of IMAP": Fault(
        {
            "imaps": ("server.other_protocol", "publish the port on which IMAP"),
            "pop3s": ("server.unreachable", "port = 995"),
        },
        listener("imap", "imaps", "port = 0") + listener("pop3", "pop3s", "port = 993"),
    ),
}


@pytest.fixture(scope="module")
def trust() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(AUTHORITY))


@pytest.fixture
def addresses(inventory_hostname: str) -> list[str]:
    return [container_address(inventory_hostname)]


@pytest.fixture
def judged(addresses: list[str], trust: ssl.SSLContext) -> Callable[[Service], tuple[Finding, ...]]:
    """What the check says of a server that is published."""

    def judge(published: Service) -> tuple[Finding, ...]:
        return servers.judge(published, servers.probe(published.endpoint, addresses, trust, TIMEOUT))

    return judge


@contextmanager
def settings(host: Host, release: str, fault: Fault) -> Iterator[None]:
    """The wrong setting, and the right ones afterwards."""
    lines = fault.dovecot[release] if isinstance(fault.dovecot, dict) else fault.dovecot
    if fault.postfix:
        host.check_output("cp /etc/postfix/master.cf /etc/postfix/master.cf.right")
        quoted = " ".join(f"'{argument}'" for argument in fault.postfix)
        host.check_output(f"postconf -P {quoted} && {RELOAD_POSTFIX}")
    if lines:
        host.check_output(f"printf %s '{lines}' > /etc/dovecot/wrong.conf && {RELOAD_DOVECOT}")
    try:
        yield
    finally:
        if fault.postfix:
            host.check_output(f"mv /etc/postfix/master.cf.right /etc/postfix/master.cf && {RELOAD_POSTFIX}")
        if lines:
            host.check_output(f"rm /etc/dovecot/wrong.conf && {RELOAD_DOVECOT}")


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_is_said_of_what_is_right(judged: Callable[[Service], tuple[Finding, ...]], name: str) -> None:
    assert eventually(lambda: judged(SERVICES[name]), lambda found: not found) == ()


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("name", SERVICES)
def test_a_login(addresses: list[str], trust: ssl.SSLContext, name: str, mechanism: str) -> None:
    endpoint = SERVICES[name].endpoint
    accepted = servers.login(endpoint, addresses, trust, *ANNA, [mechanism], PATIENCE)
    assert (accepted.outcome, accepted.mechanism) == ("accepted", mechanism)


# Few, since Dovecot answers each later than the one before.
@pytest.mark.parametrize("name", ["pop3s"])
def test_a_wrong_password(addresses: list[str], trust: ssl.SSLContext, name: str) -> None:
    refused = servers.login(SERVICES[name].endpoint, addresses, trust, ANNA[0], "wrong", MECHANISMS[-1:], PATIENCE)
    assert (refused.outcome, refused.mechanism) == ("refused", MECHANISMS[-1])


@pytest.mark.parametrize("name", ["submissions"])
def test_the_form_of_the_user_name(addresses: list[str], trust: ssl.SSLContext, name: str) -> None:
    published = SERVICES[name]
    results = [
        servers.login(published.endpoint, addresses, trust, user, "local part", ["PLAIN"], PATIENCE)
        for user in ("otto@server.tld", "otto")
    ]
    (finding,) = servers.judge_login(published, *results)
    assert finding.code == "server.login_name"
    assert "publish username %EMAILLOCALPART%" in finding.mends


def test_no_mailbox_is_changed_and_no_mail_is_sent(host: Host, addresses: list[str], trust: ssl.SSLContext) -> None:
    host.check_output("printf 'Subject: x\\n\\nx\\n' | doveadm save -u anna@server.tld")
    look = "doveadm mailbox status -u anna@server.tld 'messages unseen uidnext highestmodseq' '*'"
    sent = "grep -c -e cleanup -e qmgr.*from= /var/log/mail.log || true"
    before = host.check_output(look), host.check_output(sent)
    for published in SERVICES.values():
        assert servers.login(published.endpoint, addresses, trust, *ANNA, ["PLAIN"], PATIENCE).outcome == "accepted"
    assert (host.check_output(look), host.check_output(sent)) == before


@pytest.mark.parametrize("name", FAULTS)
def test_exactly_the_fault_is_said(
    host: Host, inventory_hostname: str, judged: Callable[[Service], tuple[Finding, ...]], name: str
) -> None:
    fault = FAULTS[name]

    def found() -> dict[str, tuple[Finding, ...]]:
        return {key: judged(published) for key, published in SERVICES.items()}

    def codes(findings: dict[str, tuple[Finding, ...]]) -> dict[str, list[str]]:
        return {key: [finding.code for finding in some] for key, some in findings.items() if some}

    wanted = {key: [code] for key, (code, _cure) in fault.findings.items()}
    with settings(host, inventory_hostname[-2:], fault):
        findings = eventually(found, lambda now: codes(now) == wanted)
    assert codes(findings) == wanted
    for key, (_code, cure) in fault.findings.items():
        assert any(cure in mend for mend in findings[key][0].mends), findings[key][0].mends
    # The next test begins with what is right.
    assert codes(eventually(found, lambda now: not codes(now))) == {}


def eventually(look: Callable[[], T], is_wanted: Callable[[T], bool]) -> T:
    """What is seen when it is as wanted, or at last: servers finish what they have begun with the settings of before."""
    for _time in range(10):
        seen = look()
        if is_wanted(seen):
            break
        time.sleep(0.2)
    return seen
