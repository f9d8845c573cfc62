"""The records that clients look up, judged by a DNS library that is not ours."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.dns import records as dns
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.dns.records import DnsOptions, Validation
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider
from hypothesis import given
from hypothesis import strategies as st

if t.TYPE_CHECKING:
    from tests.unit.conftest import ProviderOptions

name = pytest.importorskip("dns.name")
rdata = pytest.importorskip("dns.rdata")

MakeProvider = Callable[..., Provider]
IMAP = {"type": "imap", "hostname": "mail.server.tld"}
POP3 = {"type": "pop3", "hostname": "mail.server.tld"}
SMTP = {"type": "smtp", "hostname": "mail.server.tld"}


def lines(provider: Provider, *addresses: str) -> list[str]:
    """Owner, type and data of each record."""
    return [f"{record.owner} {record.type} {record.rdata}" for record in dns.records(provider, DnsOptions(addresses=addresses))]


def service(provider: Provider, label: str) -> list[str]:
    """The records of a service, without the domain."""
    owner = f"{label}._tcp.server.tld. "
    return [line.removeprefix(owner) for line in lines(provider) if line.startswith(owner)]


def test_the_usual_provider_needs_these_records(make_provider: MakeProvider) -> None:
    assert lines(make_provider(), "203.0.113.7", "2001:db8::7") == [
        "_autodiscover._tcp.server.tld. SRV 0 0 443 autodiscover.server.tld.",
        "_imaps._tcp.server.tld. SRV 0 1 993 mail.server.tld.",
        "_submissions._tcp.server.tld. SRV 0 1 465 mail.server.tld.",
        "autoconfig.server.tld. A 203.0.113.7",
        "autoconfig.server.tld. AAAA 2001:db8::7",
        "autodiscover.server.tld. A 203.0.113.7",
        "autodiscover.server.tld. AAAA 2001:db8::7",
    ]


def test_without_addresses_there_are_no_host_records(make_provider: MakeProvider) -> None:
    assert {record.type for record in dns.records(make_provider(), DnsOptions())} == {"SRV"}


def test_every_domain_gets_its_own_records(make_provider: MakeProvider) -> None:
    provider = make_provider(domains=["server.tld", "other.tld"], incoming=[{**IMAP, "hostname": "mail.%EMAILDOMAIN%"}])
    assert lines(provider) == [
        "_autodiscover._tcp.other.tld. SRV 0 0 443 autodiscover.other.tld.",
        "_autodiscover._tcp.server.tld. SRV 0 0 443 autodiscover.server.tld.",
        "_imaps._tcp.other.tld. SRV 0 1 993 mail.other.tld.",
        "_imaps._tcp.server.tld. SRV 0 1 993 mail.server.tld.",
        "_submissions._tcp.other.tld. SRV 0 1 465 mail.server.tld.",
        "_submissions._tcp.server.tld. SRV 0 1 465 mail.server.tld.",
    ]


@pytest.mark.parametrize(
    ("side", "options", "label", "expected"),
    [
        ("incoming", IMAP, "_imaps", "SRV 0 1 993 mail.server.tld."),
        ("incoming", {**IMAP, "port": 143}, "_imap", "SRV 0 1 143 mail.server.tld."),
        ("incoming", {**IMAP, "port": 9993}, "_imaps", "SRV 0 1 9993 mail.server.tld."),
        ("incoming", POP3, "_pop3s", "SRV 0 1 995 mail.server.tld."),
        ("incoming", {**POP3, "socket_type": "STARTTLS"}, "_pop3", "SRV 0 1 110 mail.server.tld."),
        ("outgoing", SMTP, "_submissions", "SRV 0 1 465 mail.server.tld."),
        ("outgoing", {**SMTP, "port": 587}, "_submission", "SRV 0 1 587 mail.server.tld."),
    ],
)
def test_each_service_has_its_name(
    make_provider: MakeProvider, side: str, options: dict[str, t.Any], label: str, expected: str
) -> None:
    provider = make_provider(**{side: [options]})
    names = {"incoming": {"_imaps", "_imap", "_pop3s", "_pop3"}, "outgoing": {"_submissions", "_submission"}}[side]
    assert {other: service(provider, other) for other in names if service(provider, other)} == {label: [expected]}


def test_services_without_encryption_are_not_announced(make_provider: MakeProvider) -> None:
    plain = {"socket_type": "plain"}
    provider = make_provider(incoming=[{**IMAP, **plain}, {**POP3, **plain}], outgoing=[{**SMTP, **plain}])
    assert lines(provider) == ["_autodiscover._tcp.server.tld. SRV 0 0 443 autodiscover.server.tld."]


def test_both_ways_to_submit_are_announced_and_of_several_hosts_the_first(make_provider: MakeProvider) -> None:
    provider = make_provider(outgoing=[SMTP, {**SMTP, "port": 587}, {**SMTP, "hostname": "second.tld"}])
    assert service(provider, "_submissions") == ["SRV 0 1 465 mail.server.tld."]
    assert service(provider, "_submission") == ["SRV 0 1 587 mail.server.tld."]


def test_calendar_and_address_book_have_a_host_and_a_path(make_provider: MakeProvider) -> None:
    provider = make_provider(caldav={"url": "https://dav.server.tld/cal/"}, carddav={"url": "https://dav.server.tld:8443"})
    assert service(provider, "_caldavs") == ["SRV 0 1 443 dav.server.tld.", 'TXT "path=/cal/"']
    assert service(provider, "_carddavs") == ["SRV 0 1 8443 dav.server.tld.", 'TXT "path=/"']


def test_a_calendar_without_encryption_has_the_name_of_one(make_provider: MakeProvider) -> None:
    provider = make_provider(caldav={"url": "http://dav.server.tld/cal/"})
    assert service(provider, "_caldav") == ["SRV 0 1 80 dav.server.tld.", 'TXT "path=/cal/"']
    assert service(provider, "_caldavs") == []


def test_a_path_of_the_user_is_not_announced(make_provider: MakeProvider) -> None:
    provider = make_provider(caldav={"url": "https://dav.server.tld/%EMAILADDRESS%/"})
    assert service(provider, "_caldavs") == ["SRV 0 1 443 dav.server.tld."]


def test_a_path_is_quoted_for_a_zone_file(make_provider: MakeProvider) -> None:
    provider = make_provider(carddav={"url": 'https://dav.server.tld/a"b\\c;d'})
    (record,) = [record for record in dns.records(provider, DnsOptions()) if record.type == "TXT"]
    parsed = rdata.from_text("IN", "TXT", record.rdata)
    assert parsed.strings == (b'path=/a"b\\c;d',)


def test_jmap_and_managesieve_are_announced(make_provider: MakeProvider) -> None:
    provider = make_provider(jmap={"url": "https://jmap.server.tld:8443/session"}, managesieve={"hostname": "mail.%EMAILDOMAIN%"})
    assert service(provider, "_jmap") == ["SRV 0 1 8443 jmap.server.tld."]
    assert service(provider, "_sieve") == ["SRV 0 1 4190 mail.server.tld."]


def test_a_record_is_plain_data_with_its_ttl(make_provider: MakeProvider) -> None:
    record = dns.records(make_provider(), DnsOptions(ttl=86400))[0]
    assert record.to_dict() == {
        "owner": "_autodiscover._tcp.server.tld.",
        "type": "SRV",
        "ttl": 86400,
        "rdata": "0 0 443 autodiscover.server.tld.",
        "domain": "server.tld",
        "fields": {"priority": 0, "weight": 0, "port": 443, "target": "autodiscover.server.tld."},
    }


@pytest.mark.parametrize(
    ("kind", "values", "fields"),
    [
        ("A", ("203.0.113.7",), {"address": "203.0.113.7"}),
        ("AAAA", ("2001:db8::7",), {"address": "2001:db8::7"}),
        ("CAA", (0, "issue", "ca.tld"), {"flags": 0, "tag": "issue", "value": "ca.tld"}),
        ("CNAME", ("web.tld.",), {"target": "web.tld."}),
        ("MX", (10, "mx.tld."), {"preference": 10, "exchange": "mx.tld."}),
        ("TLSA", (3, 1, 1, "ab"), {"usage": 3, "selector": 1, "matching_type": 1, "data": "ab"}),
        ("TXT", ("path=/",), {"text": "path=/"}),
    ],
)
def test_the_fields_of_a_record_have_names(kind: str, values: dns.Values, fields: dict[str, t.Any]) -> None:
    assert dns.Record("a.tld.", kind, values, 300, "tld").to_dict()["fields"] == fields


def test_records_are_sorted_and_none_is_twice(make_provider: MakeProvider) -> None:
    provider = make_provider(domains=["b.tld", "a.tld"], incoming=[IMAP, IMAP])
    found = dns.records(provider, DnsOptions(addresses=("203.0.113.7",)))
    assert found == sorted(set(found))


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://dav.%EMAILDOMAIN%/", "dav.server.tld."),
        ("https://DAV.Server.TLD/", "dav.server.tld."),
        ("https://müller.example/", "xn--mller-kva.example."),
    ],
)
def test_the_host_of_an_address_becomes_a_target(make_provider: MakeProvider, url: str, target: str) -> None:
    provider = make_provider(caldav={"url": url}, jmap={"url": url})
    assert service(provider, "_caldavs") == [f"SRV 0 1 443 {target}", 'TXT "path=/"']
    assert service(provider, "_jmap") == [f"SRV 0 1 443 {target}"]


@pytest.mark.parametrize("url", ["https://[2001:db8::1]/", "https://203.0.113.7/", "https://under_score.tld/"])
def test_what_is_no_host_name_is_no_target(make_provider: MakeProvider, url: str) -> None:
    provider = make_provider(caldav={"url": url}, jmap={"url": url})
    assert service(provider, "_caldavs") == []
    assert service(provider, "_jmap") == []


@given(data=st.data())
def test_every_record_of_every_provider_can_be_published(data: st.DataObject, provider_options: ProviderOptions) -> None:
    provider = Provider.from_dict(data.draw(provider_options))
    found = dns.records(provider, DnsOptions(addresses=("203.0.113.7", "2001:db8::7")))
    for record in found:
        owner = name.from_text(record.owner, origin=None)
        assert owner.is_absolute()
        assert any(owner.is_subdomain(name.from_text(domain)) for domain in provider.domains)
        parsed = rdata.from_text("IN", record.type, record.rdata, origin=None, relativize=False)
        if record.type == "SRV":
            assert parsed.target.is_absolute()
            assert 0 < parsed.port <= 65535
    # Outlook ignores all but the name of this record, Thunderbird the priority: there can be one, and its port is 443.
    for domain in provider.domains:
        (record,) = [record for record in found if record.owner == f"_autodiscover._tcp.{domain}."]
        assert rdata.from_text("IN", "SRV", record.rdata).port == 443


# -- forms --------------------------------------------------------------------------------------------------------------


def of_domain(domain: str, options: DnsOptions, **changes: t.Any) -> list[str]:
    """The records of one of two domains."""
    provider = Provider.from_dict({"domains": ["server.tld", "customer.tld"], "incoming": [IMAP], "outgoing": [SMTP], **changes})
    return [
        f"{record.owner} {record.type} {record.rdata}" for record in dns.records(provider, options) if record.domain == domain
    ]


def test_further_domains_can_be_aliases_of_the_first() -> None:
    options = DnsOptions(addresses=("203.0.113.7",), further_domains="cname", caa=("letsencrypt.org",))
    assert of_domain("customer.tld", options) == [
        "_autodiscover._tcp.customer.tld. SRV 0 0 443 autodiscover.server.tld.",
        "_imaps._tcp.customer.tld. SRV 0 1 993 mail.server.tld.",
        "_submissions._tcp.customer.tld. SRV 0 1 465 mail.server.tld.",
        "autoconfig.customer.tld. CNAME autoconfig.server.tld.",
        "autodiscover.customer.tld. CNAME autodiscover.server.tld.",
    ]
    assert 'autoconfig.server.tld. CAA 0 issue "letsencrypt.org"' in of_domain("server.tld", options)


def test_a_standing_proof_is_below_each_host_name_or_once_for_all_of_a_domain() -> None:
    account = "https://acme-v02.api.letsencrypt.org/acme/acct/4711"

    def proofs(**changes: t.Any) -> list[str]:
        forms = dict(zip(("further_domains", "host"), changes.pop("form", ("own", "")), strict=True))
        options = DnsOptions(validation=Validation("letsencrypt.org", account, **changes), **forms)
        return [line for line in of_domain("customer.tld", options) if "_validation-persist" in line]

    text = f"letsencrypt.org; accounturi={account}"
    each = [f'_validation-persist.{label}.customer.tld. TXT "{text}"' for label in ("autoconfig", "autodiscover")]
    # Beside an alias too, but not for hosts that a domain has not.
    assert proofs() == proofs(form=("cname", "")) == proofs(form=("own", "web.server.tld")) == each
    assert proofs(form=("srv", "")) == []
    assert proofs(wildcard=True) == [f'_validation-persist.customer.tld. TXT "{text}; policy=wildcard"']
    assert proofs(until=1767225600) == [line[:-1] + '; persistUntil=1767225600"' for line in each]


def test_further_domains_can_do_without_host_names() -> None:
    options = DnsOptions(addresses=("203.0.113.7",), further_domains="srv")
    assert of_domain("customer.tld", options) == [
        "_autodiscover._tcp.customer.tld. SRV 0 0 443 autodiscover.server.tld.",
        "_imaps._tcp.customer.tld. SRV 0 1 993 mail.server.tld.",
        "_submissions._tcp.customer.tld. SRV 0 1 465 mail.server.tld.",
    ]
    assert "autoconfig.server.tld. A 203.0.113.7" in of_domain("server.tld", options)


def test_host_names_can_be_aliases_of_a_host_and_then_nothing_targets_them() -> None:
    for form in ("own", "cname"):
        found = of_domain("customer.tld", DnsOptions(host="web.server.tld", further_domains=form))
        assert not [line for line in found if line.startswith("_autodiscover")]
    assert "autoconfig.server.tld. CNAME web.server.tld." in of_domain("server.tld", DnsOptions(host="web.server.tld"))


def test_what_is_not_offered_can_be_said() -> None:
    found = of_domain("server.tld", DnsOptions(not_offered=True))
    assert [line.partition(" ")[0] for line in found if line.endswith(" SRV 0 0 0 .")] == [
        "_imap._tcp.server.tld.",
        "_pop3._tcp.server.tld.",
        "_pop3s._tcp.server.tld.",
    ]


def test_what_is_offered_without_encryption_is_not_said_to_be_absent() -> None:
    found = of_domain("server.tld", DnsOptions(not_offered=True), incoming=[{**IMAP, "socket_type": "plain"}])
    assert not [line for line in found if line.startswith("_imap._tcp")]
    assert "_imaps._tcp.server.tld. SRV 0 0 0 ." in found


def test_mail_exchangers_if_asked() -> None:
    found = of_domain("server.tld", DnsOptions(mx=((10, "mx1.server.tld"), (20, "mx2.server.tld"))))
    assert [line for line in found if " MX " in line] == [
        "server.tld. MX 10 mx1.server.tld.",
        "server.tld. MX 20 mx2.server.tld.",
    ]


def test_an_incoming_server_by_jmap_is_announced() -> None:
    found = of_domain("server.tld", DnsOptions(), incoming=[IMAP, {"type": "jmap", "url": "https://jmap.server.tld/"}])
    assert "_jmap._tcp.server.tld. SRV 0 1 443 jmap.server.tld." in found


def test_record_sets_hold_all_records_of_an_owner_and_type(make_provider: MakeProvider) -> None:
    found = dns.records(make_provider(), DnsOptions(addresses=("203.0.113.8", "203.0.113.7"), mx=((10, "a.tld"), (20, "b.tld"))))
    entries = dns.record_sets(found)
    sets = {(entry["owner"], entry["type"]): entry["rdata"] for entry in entries}
    assert sets["autoconfig.server.tld.", "A"] == ["203.0.113.7", "203.0.113.8"]
    assert sets["server.tld.", "MX"] == ["10 a.tld.", "20 b.tld."]
    assert sum(map(len, sets.values())) == len(found)
    assert entries[-1] == {
        "domain": "server.tld",
        "owner": "server.tld.",
        "type": "MX",
        "ttl": 300,
        "rdata": ["10 a.tld.", "20 b.tld."],
    }


def test_pacc_has_a_host_and_a_digest_for_every_document_that_clients_may_have() -> None:
    served = dns.Served(pacc=("00" * 32, "ff" * 32))
    provider = Provider.from_dict({"domains": ["server.tld", "customer.tld"], "incoming": [IMAP], "outgoing": [SMTP]})
    found = [
        f"{record.owner} {record.type} {record.rdata}"
        for record in dns.records(provider, DnsOptions(addresses=("203.0.113.7",), further_domains="cname"), served)
        if "ua-auto-config" in record.owner
    ]
    digests = [f'"v=UAAC1; a=sha256; d={text}="' for text in ("/" * 42 + "8", "A" * 43)]
    assert found == [
        *(f"_ua-auto-config.customer.tld. TXT {digest}" for digest in digests),
        *(f"_ua-auto-config.server.tld. TXT {digest}" for digest in digests),
        "ua-auto-config.customer.tld. CNAME ua-auto-config.server.tld.",
        "ua-auto-config.server.tld. A 203.0.113.7",
    ]
    srv_only = dns.records(provider, DnsOptions(further_domains="srv"), served)
    assert {record.domain for record in srv_only if record.type == "TXT"} == {"server.tld"}


def test_keys_are_named_for_the_hosts_that_have_records() -> None:
    keys = {
        f"{label}.{domain}": "ab" * 32 for label in ("autoconfig", "autodiscover") for domain in ("server.tld", "customer.tld")
    }
    provider = Provider.from_dict({"domains": ["server.tld", "customer.tld"], "incoming": [IMAP], "outgoing": [SMTP]})
    found = dns.records(provider, DnsOptions(further_domains="srv"), dns.Served(keys=keys, https_port=8443))
    assert [f"{record.owner} {record.rdata}" for record in found if record.type == "TLSA"] == [
        f"_8443._tcp.autoconfig.server.tld. 3 1 1 {'ab' * 32}",
        f"_8443._tcp.autodiscover.server.tld. 3 1 1 {'ab' * 32}",
    ]


# -- zone text ----------------------------------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=700))
def test_any_text_comes_back_from_its_character_strings(text: str) -> None:
    parsed = rdata.from_text("IN", "TXT", dns.character_strings(text))
    assert b"".join(parsed.strings) == text.encode()
    assert all(len(string) <= 255 for string in parsed.strings)


@given(data=st.data())
def test_zone_text_is_read_back_as_the_same_records(data: st.DataObject, provider_options: ProviderOptions) -> None:
    """By dnspython, whatever the default of the TTL is where the file is included."""
    zonefile = pytest.importorskip("dns.zonefile")
    options = DnsOptions(
        addresses=("203.0.113.7", "2001:db8::7"),
        further_domains=data.draw(st.sampled_from(dns.FURTHER_DOMAINS)),
        not_offered=data.draw(st.booleans()),
        mx=((10, "mx.server.tld"),),
        caa=("letsencrypt.org",),
        validation=Validation("letsencrypt.org", "https://ca.tld/" + "a" * 300, data.draw(st.booleans())),
    )
    provider = Provider.from_dict(data.draw(provider_options))
    keys = {f"autoconfig.{domain}": "ab" * 32 for domain in provider.domains}
    found = dns.records(provider, options, dns.Served(pacc=("ff" * 32, "00" * 32), keys=keys))
    text = dns.zone_text(found, "header")
    assert text == dns.zone_text(reversed(found), "header")
    rrsets = zonefile.read_rrsets(text, default_ttl=1, rdclass=None, relativize=False)
    read = {(str(rrset.name), rrset.ttl, item.to_text()) for rrset in rrsets for item in rrset}
    expected = {
        (record.owner, record.ttl, rdata.from_text("IN", record.type, record.rdata, relativize=False).to_text())
        for record in found
    }
    assert read == expected
