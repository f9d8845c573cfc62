"""Reading the options of mail_autoconfig_dns: what is refused, with its place, and what becomes record sets."""

from __future__ import annotations

import contextlib
import typing as t

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.dns import records as our_dns
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import InputError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns import records
from hypothesis import given
from hypothesis import strategies as st

if t.TYPE_CHECKING:
    from tests.unit.conftest import ProviderOptions

Options = dict[str, t.Any]

KEY = {"key_name": "k", "key_secret": "c2VjcmV0"}
A = {"owner": "a.server.tld.", "type": "A", "ttl": 300, "rdata": "192.0.2.1"}
SRV = {"owner": "_imaps._tcp.server.tld.", "type": "SRV", "ttl": 300, "rdata": "0 1 993 mail.server.tld."}
CNAME = {"owner": "www.server.tld.", "type": "CNAME", "ttl": 300, "rdata": "a.server.tld."}


def read(*entries: t.Any, **options: t.Any) -> records.Options:
    return records.read({"server": "192.0.2.53", **KEY, "records": list(entries), **options})


def problems(*entries: t.Any, **options: t.Any) -> list[str]:
    with pytest.raises(InputError) as error:
        read(*entries, **options)
    return list(error.value.problems)


def test_records_become_record_sets() -> None:
    found = read(A, {**A, "rdata": "192.0.2.2"}, {**A, "owner": "A.Server.TLD."}, SRV)
    assert [(rrset.owner, rrset.type, rrset.ttl, len(rrset.rdatas)) for rrset in found.rrsets] == [
        ("a.server.tld.", "A", 300, 2),
        ("_imaps._tcp.server.tld.", "SRV", 300, 1),
    ]
    assert found.rrsets[0].lines() == ["a.server.tld. 300 IN A 192.0.2.1", "a.server.tld. 300 IN A 192.0.2.2"]
    assert (found.port, found.timeout, found.state, found.zones) == (53, 10, "present", ())


def test_obsolete_records_are_read_alike_and_give_way_to_those_that_are_wanted() -> None:
    alias = {**A, "type": "CNAME", "rdata": "www.server.tld."}
    found = read(A, obsolete=[{**A, "rdata": "192.0.2.9"}, alias, {**SRV, "ttl": 60}, SRV], zones=["a.server.tld"])
    # Their zones may be gone, they may have been there at different times, and their TTL does not matter.
    assert [str(rrset) for rrset in found.obsolete] == ["a.server.tld. CNAME", "_imaps._tcp.server.tld. SRV"]
    assert problems(A, obsolete=[{**A, "rdata": "x"}, {"owner": "a"}])[0].startswith("obsolete[0].rdata: 'x' is not an IPv4")


def test_what_is_chosen_of_the_input_is_in_its_words() -> None:
    entry = {**SRV, "owner": "_IMAPS._tcp.server.tld.", "type": "srv", "domain": "server.tld", "fields": None}
    rrsets = read(obsolete=[entry, A]).obsolete
    assert records.chosen([entry, A], rrsets[:1]) == [
        {"domain": "server.tld", "owner": "_IMAPS._tcp.server.tld.", "type": "srv", "rdata": "0 1 993 mail.server.tld."}
    ]


def test_zones_get_their_dot() -> None:
    assert read(A, zones=["Server.TLD", "other.tld."]).zones == ("server.tld.", "other.tld.")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"owner": "a.server.tld"}, "owner: 'a.server.tld' does not end in a dot; owners are absolute"),
        ({"owner": "a..server.tld."}, "owner: 'a..server.tld.' is not a domain name: "),
        ({"owner": f"{'a' * 64}.tld."}, "owner: "),
        ({"owner": "ä.server.tld."}, "owner: 'ä.server.tld.' has a blank, a backslash or a letter beyond ASCII"),
        ({"owner": r"a\.b.server.tld."}, "owner: "),
        ({"owner": None}, "owner: is required"),
        ({"owner": 7}, "owner: 7 is not a string: without quotes it is a number; put it in quotes"),
        ({"type": "AAA"}, "type: 'AAA' is unknown (did you mean AAAA?); allowed are A, AAAA, "),
        ({"type": "SOA"}, "type: 'SOA' is unknown; allowed are A, AAAA, "),
        ({"ttl": None}, "ttl: is required"),
        ({"ttl": -1}, "ttl: -1 is not a time to live in seconds (0 to 2147483647)"),
        ({"ttl": 2**31}, "ttl: 2147483648 is not a time to live in seconds (0 to 2147483647)"),
        ({"rdata": ""}, "rdata: is required"),
        ({"rdata": "192.0.2.256"}, "rdata: '192.0.2.256' is not an IPv4 address"),
        ({"rdata": "2001:db8::1"}, "rdata: '2001:db8::1' is not an IPv4 address"),
        ({"type": "AAAA"}, "rdata: '192.0.2.1' is not an IPv6 address"),
        ({"type": "AAAA", "rdata": "fe80::1%eth0"}, "rdata: 'fe80::1%eth0' has a zone index"),
        ({"rdata": "192.0.2.1\n192.0.2.2"}, "rdata: '192.0.2.1\\n192.0.2.2' has characters that must be written as \\DDD"),
        ({"type": "TXT", "rdata": '"open'}, "rdata: '\"open' is not the data of a record of type TXT: "),
        ({"type": "SRV", "rdata": "0 1 99999 mail.server.tld."}, "rdata: '0 1 99999 mail.server.tld.' is not the data of"),
        ({"type": "SRV", "rdata": "0 1 993"}, "rdata: '0 1 993' is not the data of a record of type SRV: "),
        ({"type": "SRV", "rdata": "0 1 993 mail"}, "rdata: '0 1 993 mail' has a name that does not end in a dot"),
        ({"type": "SRV", "rdata": "0 1 993 192.0.2.1"}, "rdata: '0 1 993 192.0.2.1' names an IP address where a host name"),
        ({"type": "SRV", "rdata": "0 1 993 192.0.2.1."}, "rdata: '0 1 993 192.0.2.1.' names an IP address where a host name"),
        ({"type": "MX", "rdata": "10 2001:db8::1."}, "rdata: '10 2001:db8::1.' names an IP address where a host name"),
        (
            {"type": "TXT", "rdata": " ".join(['"' + 254 * "x" + '"'] * 258)},
            "rdata: '" + '"' + 75 * "x" + "... is longer than a record can be (65535 octets)",
        ),
        ({"extra": 1}, "extra: is unknown; allowed are domain, fields, owner, rdata, ttl, type"),
    ],
)
def test_a_mistake_in_a_record_is_named_with_its_place(change: Options, problem: str) -> None:
    (found,) = problems(SRV, {**A, **change})
    assert found.startswith(f"records[1].{problem}")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"server": ""}, "server: is required"),
        ({"port": 0}, "port: 0 is not a port (1 to 65535)"),
        ({"timeout": 0}, "timeout: 0 is not a number of seconds (1 to 3600)"),
        ({"zones": ["a..b"]}, "zones[0]: 'a..b' is not a domain name: "),
        ({"zones": ["."]}, "zones[0]: '.' is not a zone of yours"),
        ({"zones": ["other.tld"]}, "records[0].owner: a.server.tld. lies in none of the zones that are given"),
        ({"zones": ["erver.tld"]}, "records[0].owner: a.server.tld. lies in none of the zones that are given"),
        ({"key_name": ""}, "key_name: is required"),
        ({"key_secret": ""}, "key_secret: is required"),
        ({"key_name": "a b"}, "key_name: 'a b' has a blank"),
        ({"key_secret": "no base64!"}, "key_secret: is not base64"),
        ({"key_algorithm": "hmac-md5"}, "key_algorithm: 'hmac-md5' is unknown; allowed are hmac-sha224, "),
        ({"state": "gone"}, "state: 'gone' is unknown; allowed are present, absent"),
        ({"zone": "x"}, "zone: is unknown (did you mean zones?); allowed are "),
    ],
)
def test_a_mistake_in_an_option_is_named(options: Options, problem: str) -> None:
    (found,) = problems(A, **options)
    assert found.startswith(problem)


def test_every_mistake_is_named_at_once() -> None:
    found = problems({**A, "ttl": -1, "rdata": "x"}, {**SRV, "owner": "x"}, key_secret="?", port=0)  # noqa: S106
    assert [problem.partition(": ")[0] for problem in found] == [
        "records[0].ttl",
        "records[0].rdata",
        "records[1].owner",
        "port",
        "key_secret",
    ]


def test_the_secret_is_never_shown() -> None:
    assert "no base64!" not in str(problems(A, key_secret="no base64!"))  # noqa: S106
    assert KEY["key_secret"] not in repr(read(A))


def test_the_ttl_of_a_record_set_is_one() -> None:
    assert problems(A, {**A, "rdata": "192.0.2.2", "ttl": 600}) == [
        "records[1].ttl: 600 differs from 300 in records[0], which has the same owner and type"
    ]


def test_an_alias_stands_alone_and_is_no_target() -> None:
    at_alias = {**A, "owner": CNAME["owner"]}
    other = {**CNAME, "rdata": "b.server.tld."}
    target = {**SRV, "rdata": "0 1 993 WWW.server.tld."}
    assert problems(at_alias, CNAME, other, target) == [
        "records[0].type: nothing can be beside the CNAME of www.server.tld. in records[1]",
        "records[2].type: nothing can be beside the CNAME of www.server.tld. in records[1]",
        "records[3].rdata: www.server.tld. is an alias, by records[1], and must be a host",
    ]
    assert len(read(CNAME, CNAME, SRV).rrsets) == 2


@pytest.mark.parametrize(
    ("kind", "rdata"),
    [
        ("AAAA", "2001:DB8:0::1"),
        ("CAA", '0 issue "ca.example"'),
        ("HTTPS", "1 . alpn=h2"),
        ("MX", "0 ."),
        ("SRV", "0 0 0 ."),
        ("SSHFP", "1 1 123456789abcdef67890123456789abcdef67890"),
        ("TLSA", "3 1 1 " + "ab" * 32),
        ("TXT", " ".join(['"' + 254 * "x" + '"'] * 257)),
        ("TXT", '"two  blanks; and \\"quotes\\"" "second"'),
    ],
)
def test_other_types_are_read(kind: str, rdata: str) -> None:
    assert read({**A, "type": kind, "rdata": rdata}).rrsets[0].type == kind


@pytest.mark.parametrize(
    ("owner", "zone"),
    [
        ("server.tld.", "server.tld."),
        ("a.b.server.tld.", "server.tld."),
        ("a.sub.server.tld.", "sub.server.tld."),
        ("server.tld.evil.", None),
        ("myserver.tld.", None),
    ],
)
def test_an_owner_belongs_to_the_innermost_zone(owner: str, zone: str | None) -> None:
    assert records.zone_of(owner, {"server.tld.", "sub.server.tld."}) == zone


@given(data=st.data())
def test_whatever_the_other_module_returns_can_be_pushed(data: st.DataObject, provider_options: ProviderOptions) -> None:
    provider = Provider.from_dict(data.draw(provider_options))
    options = our_dns.DnsOptions(
        addresses=("203.0.113.7", "2001:db8::7"),
        further_domains=data.draw(st.sampled_from(our_dns.FURTHER_DOMAINS)),
        not_offered=data.draw(st.booleans()),
        caa=("letsencrypt.org",),
    )
    found = our_dns.records(provider, options)
    entries = [record.to_dict() for record in found]
    rrsets = read(*entries).rrsets
    assert sum(len(rrset.rdatas) for rrset in rrsets) == len(found)


_JUNK = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from([*A, "x"]), inner, max_size=5)),
    max_leaves=8,
)


@given(entries=st.lists(_JUNK, max_size=4), types=st.sampled_from(records.TYPES), text=st.text(max_size=30))
def test_nothing_that_is_given_breaks_the_reader(entries: list[t.Any], types: str, text: str) -> None:
    with contextlib.suppress(InputError):
        read(*entries, {**A, "type": types, "rdata": text})


def test_no_records_are_nothing_to_do() -> None:
    assert read(records=[]).rrsets == ()
