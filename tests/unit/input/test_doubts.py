"""What is possible and rarely meant: said once, and never against the run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.doubts import doubts
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider

MakeProvider = Callable[..., Provider]
HOST = "mail.server.tld"


def test_a_usual_provider_raises_no_doubt() -> None:
    assert list(doubts(Provider.for_domain("server.tld"))) == []


@pytest.mark.parametrize("domain", ["mail.server.tld", "smtp.sub.server.tld", "www.server.tld", "mail.example.co.uk"])
def test_a_domain_that_looks_like_its_mail_host_is_named_with_what_was_meant(domain: str) -> None:
    meant = domain.partition(".")[2]
    assert list(doubts(Provider.for_domain(domain))) == [
        f"{domain}: the name of a mail host rather than a mail domain; if addresses are name@{meant}, the domain is {meant}, "
        f"and {domain} the host name of its servers"
    ]


@pytest.mark.parametrize("domain", ["mail.tld", "mail.co.uk", "mailing.server.tld", "imap-host.server.tld"])
def test_a_registered_domain_or_another_label_is_no_mail_host(domain: str) -> None:
    assert list(doubts(Provider.for_domain(domain))) == []


def test_many_such_domains_are_one_line() -> None:
    servers = {"incoming": [{"type": "imap", "hostname": HOST}], "outgoing": [{"type": "smtp", "hostname": HOST}]}
    provider = Provider.from_dict({"domains": [f"mail.d{number}.tld" for number in range(100)], **servers})
    (line,) = doubts(provider)
    assert line.startswith("mail.d0.tld, mail.d1.tld, ")
    assert " and 94 more: the name of a mail host" in line


@pytest.mark.parametrize(
    ("side", "server", "doubt"),
    [
        (
            "incoming",
            {"type": "imap", "hostname": "mail"},
            "incoming[0] (imap): the host name 'mail' has no dot: other networks do not find it, and no public authority "
            "certifies it",
        ),
        (
            "incoming",
            {"type": "imap", "hostname": HOST, "port": 143, "socket_type": "SSL"},
            "incoming[0] (imap): SSL on port 143, where servers usually wait for STARTTLS; the port for SSL is 993",
        ),
        (
            "outgoing",
            {"type": "smtp", "hostname": HOST, "port": 587, "socket_type": "SSL"},
            "outgoing[0] (smtp): SSL on port 587, where servers usually wait for STARTTLS; the port for SSL is 465",
        ),
        (
            "incoming",
            {"type": "imap", "hostname": HOST, "port": 995},
            "incoming[0] (imap): port 995 is usually pop3",
        ),
        (
            "outgoing",
            {"type": "smtp", "hostname": HOST, "port": 993},
            "outgoing[0] (smtp): port 993 is usually imap",
        ),
        (
            "incoming",
            {"type": "imap", "hostname": HOST, "username": "anna"},
            "incoming[0] (imap): all users would log in as 'anna', because the user name has no placeholder",
        ),
    ],
)
def test_what_a_server_rarely_has_is_named(make_provider: MakeProvider, side: str, server: dict[str, object], doubt: str) -> None:
    assert list(doubts(make_provider(**{side: [server]}))) == [doubt]


@pytest.mark.parametrize(
    ("side", "server"),
    [
        ("incoming", {"type": "imap", "hostname": "mail.%EMAILDOMAIN%", "port": 9993}),
        ("incoming", {"type": "jmap", "url": "https://server.tld/jmap"}),
        ("outgoing", {"type": "smtp", "hostname": HOST, "port": 25}),
        ("outgoing", {"type": "smtp", "hostname": HOST, "port": 587}),
        ("outgoing", {"type": "smtp", "hostname": HOST, "authentication": ["none"]}),
    ],
)
def test_what_servers_really_have_is_not(make_provider: MakeProvider, side: str, server: dict[str, object]) -> None:
    assert list(doubts(make_provider(**{side: [server]}))) == []
