"""Names through the resolver, at the servers of the zone, and as the administrator says."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check import names as names_module
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.names import (
    Answer,
    Names,
    Resolver,
    Srv,
    base_domain,
    mx_of,
    unquoted,
)

from tools.loopback import NameServer


@pytest.fixture
def dns() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.close()


@pytest.fixture
def names(dns: NameServer) -> Names:
    return Names(
        Resolver((("127.0.0.1", dns.port),), 0.5), {"given.example": ("192.0.2.1", "2001:db8::1")}, {53: dns.port}, timeout=0.5
    )


def test_records_are_found_and_asked_for_once(dns: NameServer, names: Names) -> None:
    dns.records["a.example", "A"] = ["192.0.2.9", "192.0.2.8"]
    assert names.look_up("A.Example.", "A").rdatas == ("192.0.2.8", "192.0.2.9")
    dns.records.clear()
    assert names.addresses("a.example") == ("192.0.2.8", "192.0.2.9")


def test_aliases_are_followed_and_told(dns: NameServer, names: Names) -> None:
    dns.records["a.example", "CNAME"] = ["b.example."]
    dns.records["b.example", "CNAME"] = ["c.example."]
    dns.records["c.example", "A"] = ["192.0.2.1"]
    answer = names.look_up("a.example", "A")
    assert (answer.rdatas, answer.aliases) == (("192.0.2.1",), ("b.example", "c.example"))
    assert names.look_up("a.example", "CNAME").rdatas == ("b.example.",)


def test_aliases_in_a_circle_end(dns: NameServer, names: Names) -> None:
    dns.records["a.example", "CNAME"] = ["b.example."]
    dns.records["b.example", "CNAME"] = ["a.example."]
    assert names.look_up("a.example", "A").rdatas == ()


def test_what_the_administrator_gives_goes_before(names: Names) -> None:
    assert names.addresses("given.example") == ("2001:db8::1", "192.0.2.1")
    assert names.look_up("given.example", "A").rdatas == ("192.0.2.1",)


@pytest.mark.parametrize("code", ["NXDOMAIN", "SERVFAIL", "REFUSED"])
def test_an_error_is_an_answer(dns: NameServer, names: Names, code: str) -> None:
    dns.codes["a.example"] = code
    assert names.look_up("a.example", "A").code == code


def test_nobody_answers() -> None:
    answer = Names(Resolver((("127.0.0.1", 1),), 0.2)).look_up("a.example", "A")
    assert (answer.code, answer.answered) == ("TIMEOUT", False)


def test_a_resolver_that_is_not_there_is_not_waited_for_again(dns: NameServer) -> None:
    dns.unanswered = {"everything"}
    resolver = Resolver((("127.0.0.1", dns.port),), 0.3)
    for domain in ("a.example", "b.example"):
        names = Names(resolver)
        assert {names.look_up(domain, kind).code for kind in ("SOA", "NS", "A")} == {"TIMEOUT"}
    assert dns.asked == [("a.example", "SOA"), ("", "NS")]


@pytest.mark.parametrize("before", [True, False])
def test_silent_servers_of_a_domain_are_no_silent_resolver(dns: NameServer, before: bool) -> None:
    dns.unanswered = {"a.example"}
    dns.records["b.example", "A"] = ["192.0.2.1"]
    names = Names(Resolver((("127.0.0.1", dns.port),), 0.3))
    if before:
        assert names.addresses("b.example") == ("192.0.2.1",)
        dns.asked.clear()
    for kind in ("SOA", "A"):
        assert names.look_up("a.example", kind).code == "TIMEOUT"
    assert Counter(dns.asked) == {("a.example", "SOA"): 1, ("a.example", "A"): 1} | ({} if before else {("", "NS"): 1})
    assert names.addresses("b.example") == ("192.0.2.1",)


def test_what_is_answered_waits_for_no_silent_servers_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread asks the root, in vain; meanwhile another has its answer, so that the resolver is there all the same."""
    root_is_asked, answered = threading.Event(), threading.Event()
    waited: list[bool] = []

    def ask(_servers: object, owner: str, *_more: object) -> Answer:
        if owner == ".":
            root_is_asked.set()
            waited.append(answered.wait(10))
        return Answer("NOERROR" if owner == "b.example" else "TIMEOUT")

    monkeypatch.setattr(names_module, "_ask", ask)
    resolver = Resolver((("127.0.0.1", 53),))
    thread = threading.Thread(target=resolver.look_up, args=("a.example", "SOA"))
    thread.start()
    assert root_is_asked.wait(10)
    assert resolver.look_up("b.example", "SOA").code == "NOERROR"
    answered.set()
    thread.join()
    assert waited == [True]
    assert resolver.look_up("b.example", "SOA").code == "NOERROR"


@pytest.mark.parametrize("name", ["a" * 64 + ".example", "a..example", ".".join(["a" * 60] * 5), ""])
def test_a_name_that_dns_cannot_carry_does_not_exist(names: Names, name: str) -> None:
    assert names.look_up(name, "A").rdatas == ()


def test_srv_is_sorted_and_a_refusal_has_no_target(dns: NameServer, names: Names) -> None:
    dns.records["_imap._tcp.a.example", "SRV"] = ["10 1 143 B.example.", "0 5 993 a.example."]
    dns.records["_pop3._tcp.a.example", "SRV"] = ["0 0 0 ."]
    assert names.srv("_imap._tcp.a.example") == (Srv(0, 5, 993, "a.example"), Srv(10, 1, 143, "b.example"))
    assert names.srv("_pop3._tcp.a.example") == (Srv(0, 0, 0, ""),)


def test_mx_is_sorted_by_number() -> None:
    assert mx_of(("20 b.example.", "5 a.example.", "100 .")) == [(5, "a.example"), (20, "b.example"), (100, "")]


def test_the_zone_and_its_servers(dns: NameServer, names: Names) -> None:
    dns.records["a.example", "NS"] = ["ns1.a.example.", "ns2.a.example."]
    dns.records["ns1.a.example", "A"] = ["127.0.0.1"]
    assert names.zone_of("x.y.a.example") == "a.example"
    assert names.servers_of("a.example") == (("ns1.a.example", "127.0.0.1"),)
    assert names.at(("ns1.a.example", "127.0.0.1"), "ns1.a.example", "A").authoritative
    assert not names.look_up("ns1.a.example", "A").authoritative


def test_dnssec_is_told(dns: NameServer, names: Names) -> None:
    dns.validated = True
    dns.records["a.example", "MX"] = ["10 mail.a.example."]
    assert names.look_up("a.example", "MX").secure


@pytest.mark.parametrize(
    ("rdata", "text"),
    [('"one" "two"', "onetwo"), (r'"a\"b"', 'a"b'), (r'"a\059b"', "a;b"), ('""', ""), ('"open', "open"), ("\\", "")],
)
def test_texts_are_joined(rdata: str, text: str) -> None:
    assert unquoted(rdata) == text


@pytest.mark.parametrize(
    ("name", "base"), [("mail.server.tld", "server.tld"), ("a.b.server.co.uk", "server.co.uk"), ("server.tld", "server.tld")]
)
def test_registered_domains(name: str, base: str) -> None:
    assert base_domain(name) == base


@pytest.mark.parametrize("host", ["2001:db8::7", "[2001:db8::7]"])
def test_an_address_is_its_own_without_a_question(host: str) -> None:
    assert Names(Resolver((("127.0.0.1", 1),), 0.2)).addresses(host) == ("2001:db8::7",)
