"""What is remembered of records is what was told of them, and what nobody wants any more is found."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.dns import records as dns
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.dns import remembered
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.dns.records import DnsOptions, Validation
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.dns.remembered import Gone, Group, Pattern
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider
from hypothesis import given
from hypothesis import strategies as st

if t.TYPE_CHECKING:
    from tests.unit.conftest import ProviderOptions

MakeProvider = Callable[..., Provider]
A, AAAA, ALIAS = (Pattern("autoconfig.%EMAILDOMAIN%.", kind, "x") for kind in ("A", "AAAA", "CNAME"))
OTHER_A = A._replace(rdata="y")


def group(*patterns: Pattern, of: str = "a.tld b.tld") -> Group:
    return Group(patterns, tuple(of.split()))


@given(data=st.data())
def test_what_is_remembered_are_the_records_without_mx(data: st.DataObject, provider_options: ProviderOptions) -> None:
    provider = Provider.from_dict(data.draw(provider_options))
    options = DnsOptions(
        addresses=data.draw(st.sampled_from([(), ("203.0.113.7", "2001:db8::7")])),
        host=data.draw(st.sampled_from(["", "www.server.tld"])),
        further_domains=data.draw(st.sampled_from(dns.FURTHER_DOMAINS)),
        not_offered=data.draw(st.booleans()),
        mx=((10, "mx.server.tld"),),
        caa=("letsencrypt.org",),
        validation=Validation("letsencrypt.org", "https://ca.tld/account", data.draw(st.booleans())),
    )
    hosts = [f"{label}.{domain}" for domain in provider.domains for label in ("autoconfig", "autodiscover", "ua-auto-config")]
    served = dns.Served(
        pacc=data.draw(st.sampled_from([(), ("ff" * 32, "00" * 32)])),
        secure=data.draw(st.one_of(st.none(), st.sets(st.sampled_from(hosts)))),
        keys=data.draw(st.dictionaries(st.sampled_from(hosts), st.sampled_from(["ab" * 32, "cd" * 32]))),
    )
    found = remembered.listed(dns.to_remember(provider, options, served), options.ttl)
    told = [record.to_dict() for record in dns.records(provider, options, served) if record.type != "MX"]
    fields = ("domain", "owner", "type", "ttl", "rdata")
    assert sorted(map(repr, found)) == sorted(repr({name: entry[name] for name in fields}) for entry in told)


def test_what_domains_have_in_common_is_kept_once(make_provider: MakeProvider) -> None:
    domains = ["server.tld", *(f"d{number}.tld" for number in range(1000))]
    found = dns.to_remember(make_provider(domains=domains), DnsOptions(addresses=("192.0.2.1",)))
    assert len(found) == 1
    assert len(found[0].patterns) == 5
    assert len(dns.to_remember(make_provider(domains=domains), DnsOptions(further_domains="cname"))) == 2


def test_a_record_set_that_is_still_wanted_is_not_left_over() -> None:
    assert remembered.left_over([group(A, AAAA)], [group(OTHER_A)]) == (group(AAAA),)
    assert remembered.left_over([group(A, AAAA)], [group(A, AAAA)]) == ()
    assert remembered.left_over([group(A)], [group(A, of="b.tld")]) == (group(A, of="a.tld"),)
    assert remembered.left_over([group(A)], []) == (group(A),)


def test_what_comes_back_is_not_obsolete_and_the_last_data_count() -> None:
    assert remembered.obsolete((group(A, AAAA),), (), [group(OTHER_A, of="a.tld")]) == (
        group(A, AAAA, of="b.tld"),
        group(AAAA, of="a.tld"),
    )
    assert remembered.obsolete((group(A),), (group(OTHER_A, of="a.tld"),), []) == (
        group(A, of="b.tld"),
        group(OTHER_A, of="a.tld"),
    )
    # Of two runs, what is left of both stands together.
    assert remembered.obsolete((group(A),), (group(AAAA),), []) == (group(A, AAAA),)


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        (Gone(), (group(A, ALIAS),)),
        (Gone(domains=frozenset({"a.tld"})), (group(A, ALIAS, of="b.tld"),)),
        (Gone(frozenset({("autoconfig.a.tld.", "A")})), (group(A, ALIAS, of="b.tld"), group(ALIAS, of="a.tld"))),
        (Gone(frozenset({("autoconfig.a.tld.", "TXT")}), frozenset({"c.tld"})), (group(A, ALIAS),)),
    ],
)
def test_what_somebody_says_is_gone_is_forgotten(gone: Gone, left: tuple[Group, ...]) -> None:
    assert remembered.without([group(A, ALIAS)], gone) == left
