"""Which certificates are ordered in a run, from a ledger that is made by hand."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import orders
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.managed_domains import (
    LETS_ENCRYPT,
    AcmeOptions,
)
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.orders import Addresses, Entry, Ledger

NOW = 1_800_000_000.0
DAY = 86400.0
HERE, ELSEWHERE = "203.0.113.7", "198.51.100.1"


def names(domain: str) -> tuple[str, str]:
    return f"autoconfig.{domain}", f"autodiscover.{domain}"


def wanted(*domains: str) -> dict[str, tuple[str, ...]]:
    return {domain: names(domain) for domain in domains}


def ledger(*here: str, entries: t.Mapping[str, Entry] | None = None, **changes: t.Any) -> Ledger:
    """These domains lead here; ``addresses`` says what others do."""
    found = {name: Addresses((HERE,)) for domain in here for name in names(domain)}
    found.update(changes.pop("addresses", {}))
    return Ledger("/md", entries or {}, found, frozenset({HERE, "2001:db8::7"}), now=NOW, **changes)


def certified(*domains: str, age: float = 1 * DAY, **changes: t.Any) -> dict[str, Entry]:
    """Entries with certificates for 90 days."""
    return {
        names(domain)[0]: Entry(names(domain), names(domain), NOW - age, NOW - age + 90 * DAY, **changes) for domain in domains
    }


def test_a_domain_that_leads_here_gets_one_certificate_for_its_names() -> None:
    found = orders.plan(wanted("a.tld", "b.tld"), ledger("a.tld", "b.tld"), AcmeOptions())
    assert {domain: item.names for domain, item in found.managed.items()} == wanted("a.tld", "b.tld")
    assert found.pending == ("autoconfig.a.tld", "autoconfig.b.tld")
    assert (found.missing, found.later, found.findings.problems, found.findings.warnings) == ({}, (), (), ())
    pair = found.pair_of("a.tld")
    assert pair is not None
    assert (pair.file, pair.key) == ("/md/domains/autoconfig.a.tld/pubcert.pem", "/md/domains/autoconfig.a.tld/privkey.pem")
    assert found.pair_of("c.tld") is None


def test_a_mod_md_that_knows_no_profiles_is_refused_where_one_is_wished() -> None:
    old = dataclasses.replace(ledger("a.tld"), takes_profiles=False)
    wished = AcmeOptions(profile="tlsserver")
    assert orders.plan(wanted("a.tld"), old, AcmeOptions()).findings.problems == ()
    assert orders.plan(wanted("a.tld"), ledger("a.tld"), wished).findings.problems == ()
    (problem,) = orders.plan(wanted("a.tld"), old, wished).findings.problems
    assert problem.startswith("acme_profile: this Apache's mod_md knows no profiles")


def test_what_is_there_is_not_ordered_and_dns_is_not_asked() -> None:
    entries = certified("a.tld")
    assert orders.names_to_look_up(wanted("a.tld", "b.tld"), entries, NOW) == list(names("b.tld"))
    found = orders.plan(wanted("a.tld"), ledger(entries=entries), AcmeOptions())
    assert (found.managed["a.tld"].names, found.pending, found.missing) == (names("a.tld"), (), {})


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        (Addresses(), "has no address in DNS"),
        (Addresses((ELSEWHERE,)), "leads to 198.51.100.1, which is not this host"),
        (Addresses((HERE, "2001:db8::8")), "leads to 2001:db8::8, which is not this host"),
        (Addresses(failure="could not be looked up"), "could not be looked up"),
    ],
)
def test_a_name_that_does_not_lead_here_is_left_out_with_the_reason(there: Addresses, reason: str) -> None:
    known = ledger("a.tld", addresses={"autoconfig.a.tld": there})
    found = orders.plan(wanted("a.tld", "b.tld"), known, AcmeOptions())
    assert found.managed["a.tld"].names == ("autodiscover.a.tld",)
    assert found.missing["autoconfig.a.tld"] == reason
    assert set(found.missing) == {"autoconfig.a.tld", *names("b.tld")}
    assert "b.tld" not in found.managed
    assert found.why_none("autoconfig.a.tld", "a.tld") == f"not ordered: it {reason}"
    assert found.why_none("autodiscover.a.tld", "a.tld") == "ordered, and not there yet"
    assert any(reason in line and "autoconfig.a.tld" in line for line in found.findings.warnings)


def test_with_dns_01_alone_names_may_lead_anywhere() -> None:
    by_dns = AcmeOptions(challenges=("dns-01",))
    assert orders.plan(wanted("a.tld"), ledger(), by_dns).managed["a.tld"].names == names("a.tld")
    assert orders.plan(wanted("a.tld"), ledger(), AcmeOptions(challenges=("http-01", "dns-01"))).managed == {}


@pytest.mark.parametrize(
    ("there", "kept"),
    [
        (Addresses((ELSEWHERE,)), ("autoconfig.a.tld",)),
        (Addresses(), ("autoconfig.a.tld",)),
        (Addresses(failure="no answer"), names("a.tld")),
    ],
)
def test_a_name_that_has_left_is_dropped_when_its_certificate_is_to_be_renewed(there: Addresses, kept: tuple[str, ...]) -> None:
    known = ledger("a.tld", addresses={"autodiscover.a.tld": there}, entries=certified("a.tld", age=61 * DAY))
    found = orders.plan(wanted("a.tld"), known, AcmeOptions())
    assert (found.managed["a.tld"].names, found.pending) == (kept, ())
    young = ledger("a.tld", addresses={"autodiscover.a.tld": there}, entries=certified("a.tld", age=59 * DAY))
    assert orders.plan(wanted("a.tld"), young, AcmeOptions()).managed["a.tld"].names == names("a.tld")


def test_an_expired_certificate_is_ordered_again() -> None:
    found = orders.plan(wanted("a.tld"), ledger("a.tld", entries=certified("a.tld", age=91 * DAY)), AcmeOptions())
    assert found.pending == ("autoconfig.a.tld",)


@pytest.mark.parametrize(("age", "is_asked"), [(60 * DAY - 1, False), (60 * DAY, True)])
def test_dns_is_asked_again_from_two_thirds_of_the_lifetime_on(age: float, is_asked: bool) -> None:
    found = orders.names_to_look_up(wanted("a.tld"), certified("a.tld", age=age), NOW)
    assert found == (list(names("a.tld")) if is_asked else [])


def test_a_name_that_comes_later_joins_the_certificate_by_its_name_in_the_store() -> None:
    only = Entry(("autodiscover.a.tld",), ("autodiscover.a.tld",), NOW - DAY, NOW + DAY)
    found = orders.plan(wanted("a.tld"), ledger("a.tld", entries={"autodiscover.a.tld": only}), AcmeOptions())
    assert found.managed["a.tld"].names == ("autodiscover.a.tld", "autoconfig.a.tld")
    assert found.pending == ("autodiscover.a.tld",)


def test_new_orders_are_counted_and_those_that_were_begun_come_first() -> None:
    begun = {"autoconfig.c.tld": Entry(names("c.tld"))}
    known = ledger("a.tld", "b.tld", "c.tld", entries=begun, issued=(NOW - 4 * 3600, NOW - 7200, NOW - 60))
    found = orders.plan(wanted("a.tld", "b.tld", "c.tld"), known, AcmeOptions(new_orders=4))
    assert found.pending == ("autoconfig.c.tld", "autoconfig.a.tld")
    assert found.later == ("b.tld",)
    assert found.later_at == NOW - 7200 + orders.WINDOW
    assert "b.tld" not in found.managed
    assert found.why_none("autoconfig.b.tld", "b.tld") == "a later run orders it"
    assert any(line.startswith("1 mail domains get their certificates in a later run") for line in found.findings.warnings)


def test_a_certificate_that_waits_for_a_further_name_stays_as_it_is() -> None:
    entries = {"autoconfig.a.tld": Entry(("autoconfig.a.tld",), ("autoconfig.a.tld",), NOW - DAY, NOW + 89 * DAY)}
    known = ledger("a.tld", entries=entries, issued=(NOW - 60,))
    found = orders.plan(wanted("a.tld"), known, AcmeOptions(new_orders=1))
    assert (found.managed["a.tld"].names, found.pending, found.later) == (("autoconfig.a.tld",), (), ("a.tld",))


def test_names_that_somebody_else_has_managed_or_that_can_have_none_are_refused_all_at_once() -> None:
    known = ledger("a.tld", "b.local", others={"autodiscover.a.tld": "/etc/apache2/conf-enabled/md.conf:3"})
    found = orders.plan(wanted("a.tld", "b.local"), known, AcmeOptions())
    assert found.findings.problems == (
        "certificates: autoconfig.b.local: no public authority has certificates for names below .local",
        "certificates: autodiscover.b.local: no public authority has certificates for names below .local",
        "certificates: /etc/apache2/conf-enabled/md.conf:3 has autodiscover.a.tld managed by mod_md already: take it out there, "
        "or leave certificates at found",
    )
    private = AcmeOptions(directory="https://acme.b.local/dir")
    assert len(orders.plan(wanted("a.tld", "b.local"), known, private).findings.problems) == 1


def test_a_staged_certificate_makes_a_reload_worth_it() -> None:
    entries = certified("a.tld", "other.tld")
    found = orders.plan(wanted("a.tld"), ledger(entries=entries), AcmeOptions())
    assert not found.is_any_staged(entries)
    assert found.is_any_staged({**entries, **certified("a.tld", staged=True)})
    assert not found.is_any_staged(certified("other.tld", staged=True))


def test_certificates_of_another_authority_than_the_one_that_is_named_are_told_with_what_to_do() -> None:
    staging, private = "https://staging.tld/dir", "https://acme.tld/dir"
    entries = {
        **certified("a.tld", "b.tld", authority=staging),
        **certified("c.tld", authority=LETS_ENCRYPT),
        **certified("d.tld"),
        **certified("e.tld", authority=staging, age=91 * DAY),
        **certified("f.tld", authority=private),
        **certified("other.tld", authority=staging),
    }
    domains = ("a.tld", "b.tld", "c.tld", "d.tld", "e.tld", "f.tld")
    found = orders.plan(wanted(*domains), ledger("e.tld", entries=entries), AcmeOptions())
    assert (found.findings.problems, found.pending) == ((), ("autoconfig.e.tld",))
    by_private, by_staging = found.findings.warnings
    assert by_staging == (
        "acme_directory: mod_md goes on with the certificates of https://staging.tld/dir for autoconfig.a.tld, autoconfig.b.tld "
        f"until it renews them, and only then asks {LETS_ENCRYPT}; to have them ordered there now, delete the directories of "
        "these names below /md/domains and /md/staging and run again: until then the hosts are served over HTTP only"
    )
    assert "of https://acme.tld/dir for autoconfig.f.tld until" in by_private
    same = ledger(entries=certified("a.tld", "b.tld", authority=staging))
    assert orders.plan(wanted("a.tld", "b.tld"), same, AcmeOptions(directory=staging)).findings.warnings == ()


def test_orders_without_end_are_told_with_the_words_of_the_authority() -> None:
    domains = ("a.tld", "b.tld", "c.tld", "d.tld", "e.tld")
    found = orders.plan(wanted(*domains), ledger(*domains), AcmeOptions())
    down = Entry(errors=2, tries=NOW, words="it is down")
    stopped = Entry(words="a command failed")
    entries = {"a.tld": down, "b.tld": down, "c.tld": Entry(), "d.tld": stopped}
    lines = orders.unfinished(found, {names(domain)[0]: entry for domain, entry in entries.items()})
    assert [line.partition(";")[0] for line in lines] == [
        "no certificate yet for autoconfig.a.tld, autoconfig.b.tld: it is down (next attempt 2027-01-15T08:00:00Z)",
        "no certificate yet for autoconfig.c.tld: the authority has not issued it in time",
        "no certificate yet for autoconfig.d.tld: a command failed",
        f"no certificate yet for autoconfig.e.tld: nothing of an order was found in {found.store}",
    ]
