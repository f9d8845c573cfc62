"""What a name server has, and the updates that change it: what its answers mean, without any network."""

from __future__ import annotations

import dns.message
import dns.rcode
import dns.rdata
import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns.exchange import ServerError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns.plan import Change, Held, RRset
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns.server import (
    TRANSFER_FROM,
    NameServer,
)

from tests.unit.dns_update.name_server import MemoryServer, rrset

A = rrset("a.server.tld.", "A", "192.0.2.1")
ALIAS = rrset("a.server.tld.", "CNAME", "www.other.tld.")
# So many that the zone is fetched as a whole.
FILLERS = [rrset(f"f{number}.server.tld.", "A", "192.0.2.1") for number in range(TRANSFER_FROM)]


def read(server: MemoryServer, *wanted: RRset, zone: str = "server.tld.") -> Held:
    return NameServer(server).read({zone: wanted})[zone]


def types(held: Held, owner: str) -> list[str]:
    return sorted(held.get(owner, {}))


# -- zones --------------------------------------------------------------------------------------------------------------


def test_zones_that_a_server_has_are_right_and_others_are_named() -> None:
    server = NameServer(MemoryServer(server_tld="", sub_server_tld=""))
    assert server.check_zones(["server.tld.", "sub.server.tld."]) == {}
    assert server.check_zones(["other.tld.", "server.tld.", "in.server.tld.", "tld."]) == {
        "other.tld.": "ns has no zone other.tld. (REFUSED)",
        "in.server.tld.": "ns has no zone in.server.tld.; it is inside of server.tld.",
        "tld.": "ns has no zone tld. (REFUSED)",
    }


def test_an_alias_is_no_zone_though_the_answer_ends_with_one() -> None:
    server = NameServer(MemoryServer(server_tld="www CNAME mail.other.tld.\n", other_tld="mail A 192.0.2.1\n"))
    assert server.check_zones(["www.server.tld."]) == {"www.server.tld.": "ns has no zone www.server.tld. (NOERROR)"}


def test_each_owner_lies_in_the_innermost_zone() -> None:
    memory = MemoryServer(server_tld="sub NS ns\nwww CNAME mail.other.tld.\n", sub_server_tld="", other_tld="mail A 192.0.2.1\n")
    owners = ["a.server.tld.", "server.tld.", "a.sub.server.tld.", "a.b.sub.server.tld.", "www.server.tld.", "mail.other.tld."]
    zones, problems = NameServer(memory).find_zones(owners)
    assert problems == {}
    assert zones == {
        "a.server.tld.": "server.tld.",
        "server.tld.": "server.tld.",
        "a.sub.server.tld.": "sub.server.tld.",
        "a.b.sub.server.tld.": "sub.server.tld.",
        "www.server.tld.": "server.tld.",
        "mail.other.tld.": "other.tld.",
    }


def test_an_alias_below_aliases_is_found_by_the_first_name_above_that_is_none() -> None:
    memory = MemoryServer(server_tld="a CNAME x.other.tld.\nb.a CNAME x.other.tld.\n", other_tld="")
    assert NameServer(memory).find_zones(["b.a.server.tld."]) == ({"b.a.server.tld.": "server.tld."}, {})


def test_owners_without_a_zone_are_named_with_the_reason() -> None:
    memory = MemoryServer(server_tld="sub NS ns.elsewhere.tld.\n")
    zones, problems = NameServer(memory).find_zones(["a.server.tld.", "a.sub.server.tld.", "a.other.tld."])
    assert zones == {"a.server.tld.": "server.tld."}
    assert problems == {
        "a.sub.server.tld.": "a.sub.server.tld.: ns has no zone for it (the name is delegated to another)",
        "a.other.tld.": "a.other.tld.: ns has no zone for it (REFUSED)",
    }


# -- reading ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fillers", [[], FILLERS], ids=["asked", "transferred"])
def test_what_is_there_is_read_with_its_ttl(fillers: list[RRset]) -> None:
    memory = MemoryServer(server_tld="a 60 A 192.0.2.1\na 60 A 192.0.2.2\nb 70 TXT x\n")
    wanted = [A, rrset("b.server.tld.", "A", "192.0.2.1"), rrset("c.server.tld.", "A", "192.0.2.1")]
    held = read(memory, *wanted, *fillers)
    assert held["a.server.tld."]["A"] == rrset("a.server.tld.", "A", "192.0.2.1", "192.0.2.2", ttl=60)
    assert "A" not in held.get("b.server.tld.", {})
    assert "c.server.tld." not in held


def test_up_to_fifty_record_sets_are_asked_for_and_more_are_transferred() -> None:
    memory = MemoryServer(server_tld="f1 A 192.0.2.1\n", other_tld="")
    wanted = {"server.tld.": FILLERS, "other.tld.": [rrset("a.other.tld.", "A", "192.0.2.1")]}
    held = NameServer(memory).read(wanted)
    assert memory.transfers == 0
    assert NameServer(memory).read({**wanted, "server.tld.": [*FILLERS, A]}) == held
    assert memory.transfers == 1
    assert list(held["server.tld."]) == ["f1.server.tld."]
    assert held["other.tld."] == {}


def test_a_zone_that_is_not_handed_out_is_asked() -> None:
    memory = MemoryServer(server_tld="f1 300 A 192.0.2.1\n")
    memory.may_transfer = False
    held = read(memory, A, *FILLERS)
    assert memory.transfers == 1
    assert held == {"f1.server.tld.": {"A": FILLERS[1]}}


@pytest.mark.parametrize("code", ["BADKEY", "FORMERR", "NOTAUTH", "NOTIMP", "REFUSED", "SERVFAIL", "BADSIG", "LOST", ""])
def test_only_a_refusal_of_the_transfer_is_got_around(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    memory = MemoryServer(server_tld="")

    def transfer(zone: str) -> None:
        raise ServerError(f"no {zone}", code)

    monkeypatch.setattr(memory, "transfer", transfer)
    if code in ("BADKEY", "FORMERR", "NOTAUTH", "NOTIMP", "REFUSED"):
        assert read(memory, A, *FILLERS) == {}
    else:
        with pytest.raises(ServerError, match=r"no server\.tld\."):
            read(memory, A, *FILLERS)


def test_only_the_wanted_owners_are_kept_of_a_zone() -> None:
    memory = MemoryServer(server_tld="a 300 A 192.0.2.1\na TXT x\nother A 192.0.2.1\n")
    held = read(memory, A, *FILLERS)
    assert list(held) == ["a.server.tld."]
    assert types(held, "a.server.tld.") == ["A", "TXT"]


def test_the_owner_in_another_spelling_is_the_same() -> None:
    memory = MemoryServer(server_tld="A 300 A 192.0.2.1\n")
    assert read(memory, A) == read(memory, A, *FILLERS) == {"a.server.tld.": {"A": A}}


@pytest.mark.parametrize("fillers", [[], FILLERS], ids=["asked", "transferred"])
def test_what_is_delegated_is_refused(fillers: list[RRset]) -> None:
    memory = MemoryServer(server_tld="sub NS ns.elsewhere.tld.\n")
    for owner in ("sub.server.tld.", "a.sub.server.tld.", "a.b.sub.server.tld."):
        with pytest.raises(ServerError, match=f"^ns is not authoritative for {owner}, which is delegated to another zone$"):
            read(memory, rrset(owner, "A", "192.0.2.1"), *fillers)


@pytest.mark.parametrize("fillers", [[], FILLERS], ids=["asked", "transferred"])
def test_beside_a_delegation_all_is_ours(fillers: list[RRset]) -> None:
    memory = MemoryServer(server_tld="sub NS ns.elsewhere.tld.\na 300 A 192.0.2.1\n@ A 192.0.2.1\n")
    assert "A" in read(memory, A, *fillers)["a.server.tld."]
    assert "A" in read(memory, rrset("server.tld.", "A", "192.0.2.1"), *fillers)["server.tld."]
    assert read(memory, rrset("xsub.server.tld.", "A", "192.0.2.1"), *fillers) == {}


@pytest.mark.parametrize("delegation", ["", "sub NS ns.elsewhere.tld.\n"])
def test_an_owner_in_a_zone_inside_of_the_given_is_refused(delegation: str) -> None:
    memory = MemoryServer(server_tld=delegation, sub_server_tld="")
    with pytest.raises(ServerError) as error:
        read(memory, rrset("a.sub.server.tld.", "A", "192.0.2.1"))
    assert str(error.value) == "a.sub.server.tld. lies in the zone sub.server.tld. of ns, not in server.tld."


def test_an_error_of_the_server_is_said_with_the_owner() -> None:
    memory = MemoryServer(server_tld="")
    memory.rcodes["a.server.tld."] = dns.rcode.SERVFAIL
    with pytest.raises(ServerError) as error:
        read(memory, A)
    assert str(error.value) == "ns, asked for a.server.tld., could not carry it out (SERVFAIL); its log says why"
    assert error.value.code == "SERVFAIL"


def test_beside_an_alias_to_be_all_is_seen() -> None:
    memory = MemoryServer(server_tld="a TXT x\na A 192.0.2.1\n")
    assert types(read(memory, ALIAS), "a.server.tld.") == ["A", "TXT"]
    assert types(read(memory, ALIAS, *FILLERS), "a.server.tld.") == ["A", "TXT"]


def test_an_alias_in_the_way_is_seen_and_its_target_is_not_taken_for_ours() -> None:
    memory = MemoryServer(server_tld="a 3600 CNAME b\nb A 192.0.2.2\n")
    held = read(memory, A)
    assert held == {"a.server.tld.": {"CNAME": rrset("a.server.tld.", "CNAME", "b.server.tld.", ttl=3600)}}


def test_a_minimal_answer_to_any_is_no_record() -> None:
    memory = MemoryServer(server_tld="a A 192.0.2.1\n")
    memory.minimal_any = True
    assert types(read(memory, ALIAS), "a.server.tld.") == []
    # A record of that type that says anything else is one.
    assert types(read(MemoryServer(server_tld="a HINFO PDP-11 RSX\n"), ALIAS), "a.server.tld.") == ["HINFO"]


# -- wildcards ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["A 192.0.2.1", "CNAME mail"])
def test_what_only_a_wildcard_answers_is_not_there(data: str) -> None:
    memory = MemoryServer(server_tld=f"* {data}\nmail A 192.0.2.25\nb 300 A 192.0.2.1\n")
    b = rrset("b.server.tld.", "A", "192.0.2.1")
    wanted = [A, b, rrset("c.d.server.tld.", "A", "192.0.2.1")]
    assert read(memory, *wanted) == {"b.server.tld.": {"A": b}}
    assert memory.updates == []  # those that were sent to ask cannot change anything
    assert memory.has("a.server.tld.", "A") == []


def test_where_no_wildcard_can_be_none_is_asked_for() -> None:
    memory = MemoryServer(server_tld="a 300 A 192.0.2.1\n@ A 192.0.2.1\n")
    memory.rcodes["server.tld."] = dns.rcode.NOTIMP  # a server that takes no update is read nevertheless
    assert read(memory, A) == {"a.server.tld.": {"A": A}}
    memory.rcodes.clear()
    apex = rrset("server.tld.", "A", "192.0.2.1", ttl=300)
    assert read(MemoryServer(server_tld="* A 192.0.2.9\n@ 300 A 192.0.2.1\n"), apex) == {"server.tld.": {"A": apex}}


def test_a_server_that_does_not_tell_whether_a_name_is_used_is_named() -> None:
    memory = MemoryServer(server_tld="* A 192.0.2.1\n")
    memory.rcodes["server.tld."] = dns.rcode.NOTIMP
    with pytest.raises(ServerError) as error:
        read(memory, A)
    assert str(error.value) == "ns, asked whether a.server.tld. is in the zone server.tld., takes no updates (NOTIMP)"


# -- updates ------------------------------------------------------------------------------------------------------------


def carried_out(memory: MemoryServer, *changes: Change) -> list[int]:
    """Sends the updates; how many changes each has."""
    server = NameServer(memory)
    sizes = []
    for part, message in server.updates("server.tld.", changes):
        server.send(message)
        sizes.append(len(part))
    return sizes


def test_record_sets_are_added_replaced_and_removed() -> None:
    memory = MemoryServer(server_tld="b 300 A 192.0.2.2\nb 3600 TXT x\nc 300 A 192.0.2.3\nc 300 A 192.0.2.4\nd 3600 CNAME x\n")
    b, c = rrset("b.server.tld.", "A", "192.0.2.2"), rrset("c.server.tld.", "A", "192.0.2.3", "192.0.2.4")
    d = rrset("d.server.tld.", "CNAME", "x.server.tld.", ttl=3600)
    new_alias = rrset("e.server.tld.", "CNAME", "x.server.tld.")
    changes = [
        Change(None, A),
        Change(b, rrset("b.server.tld.", "A", "192.0.2.8", "192.0.2.9", ttl=600)),
        Change(c, None),
        Change(d, rrset("d.server.tld.", "CNAME", "y.server.tld.", ttl=600)),
        Change(None, new_alias),
    ]
    assert carried_out(memory, *changes) == [5]
    assert memory.has("a.server.tld.", "A") == ["300 192.0.2.1"]
    assert memory.has("b.server.tld.", "A") == ["600 192.0.2.8", "600 192.0.2.9"]
    assert memory.has("b.server.tld.", "TXT") == ['3600 "x"']
    assert memory.has("c.server.tld.", "A") == []
    assert memory.has("d.server.tld.", "CNAME") == ["600 y.server.tld."]
    assert memory.has("e.server.tld.", "CNAME") == ["300 x.server.tld."]


@pytest.mark.parametrize("is_alias", [True, False])
def test_an_alias_and_other_records_take_each_others_place_in_one_update(is_alias: bool) -> None:
    data = [A, rrset("a.server.tld.", "AAAA", "2001:db8::1"), rrset("a.server.tld.", "TXT", "x")]
    comes, goes = ([ALIAS], data) if is_alias else (data, [ALIAS])
    memory = MemoryServer(server_tld="")
    carried_out(memory, *(Change(None, item) for item in goes))
    changes = [*(Change(None, item) for item in comes), *(Change(item, None) for item in goes)]
    assert carried_out(memory, *sorted(changes, key=lambda change: change.rrset.type)) == [4]
    for kind in ("A", "AAAA", "TXT", "CNAME"):
        assert bool(memory.has("a.server.tld.", kind)) == (kind in {item.type for item in comes})


@pytest.mark.parametrize("kind", ["TXT x", "CAA 0 issue x"])
def test_an_alias_does_not_take_the_place_of_what_somebody_has_added_meanwhile(kind: str) -> None:
    memory = MemoryServer(server_tld=f"a 300 A 192.0.2.1\na {kind}\n")
    with pytest.raises(ServerError, match="answered YXRRSET"):
        carried_out(memory, Change(A, None), Change(None, ALIAS))
    assert memory.has("a.server.tld.", "A") == ["300 192.0.2.1"]


@pytest.mark.parametrize(
    ("there", "change", "code"),
    [
        ("a A 192.0.2.9", Change(None, A), "YXRRSET"),
        ("a CNAME b", Change(None, A), "YXRRSET"),
        ("a TXT x", Change(None, ALIAS), "YXDOMAIN"),
        ("a CNAME b", Change(None, ALIAS), "YXDOMAIN"),
        ("", Change(A, None), "NXRRSET"),
        ("a A 192.0.2.9", Change(A, None), "NXRRSET"),
        ("a A 192.0.2.1\na A 192.0.2.9", Change(A, rrset("a.server.tld.", "A", "192.0.2.2")), "NXRRSET"),
        ("a A 192.0.2.1", Change(rrset("a.server.tld.", "A", "192.0.2.1", "192.0.2.9"), None), "NXRRSET"),
    ],
)
def test_what_changed_since_it_was_read_is_not_overwritten(there: str, change: Change, code: str) -> None:
    memory = MemoryServer(server_tld=f"{there}\n")
    before = memory.zones[next(iter(memory.zones))].to_text()
    with pytest.raises(ServerError, match=rf"^ns, asked to change the zone, answered {code}$") as error:
        carried_out(memory, change, Change(None, rrset("b.server.tld.", "A", "192.0.2.1")))
    assert error.value.code == code
    assert memory.zones[next(iter(memory.zones))].to_text() == before


@pytest.mark.parametrize(
    ("rcode", "words"),
    [
        (dns.rcode.NOTAUTH, "is not the primary server of the zone (NOTAUTH)"),
        (dns.rcode.NOTIMP, "takes no updates (NOTIMP)"),
        (dns.rcode.NOTZONE, "says that an owner lies outside of the zone (NOTZONE)"),
        (dns.rcode.REFUSED, "refused it (REFUSED): the key may not change these records"),
        (dns.rcode.SERVFAIL, "could not carry it out (SERVFAIL); its log says why"),
        (dns.rcode.FORMERR, "answered FORMERR"),
    ],
)
def test_a_refused_update_is_explained(rcode: dns.rcode.Rcode, words: str) -> None:
    memory = MemoryServer(server_tld="")
    memory.rcodes["server.tld."] = rcode
    with pytest.raises(ServerError) as error:
        carried_out(memory, Change(None, A))
    assert str(error.value).startswith(f"ns, asked to change the zone, {words}")
    assert error.value.code == dns.rcode.to_text(rcode)


def texts(count: int, octets: int) -> list[Change]:
    data = " ".join(['"' + "x" * 250 + '"'] * (octets // 251))
    return [Change(None, rrset(f"t{number}.server.tld.", "TXT", data)) for number in range(count)]


def test_what_does_not_fit_into_a_message_is_split_and_nothing_is_left_out() -> None:
    memory = MemoryServer(server_tld="")
    changes = texts(13, 12000)
    assert carried_out(memory, *changes) == [4, 4, 4, 1]
    for change in changes:
        assert len(memory.has(change.rrset.owner, "TXT")) == 1


def test_the_changes_of_an_owner_are_never_split() -> None:
    memory = MemoryServer(server_tld="")
    changes = []
    for change in texts(7, 12000):
        owner = change.rrset.owner
        changes += [Change(None, rrset(owner, "A", "192.0.2.1")), Change(None, rrset(owner, "AAAA", "2001:db8::1")), change]
    assert carried_out(memory, *changes) == [12, 9]


def test_a_change_that_fits_into_no_message_is_named() -> None:
    (change,) = texts(1, 65535)
    memory = MemoryServer(server_tld="")
    with pytest.raises(ServerError, match=r"^t0\.server\.tld\. TXT is too large for a message of 64 KiB$"):
        carried_out(memory, change)
    # Those before it are done.
    with pytest.raises(ServerError):
        carried_out(memory, Change(None, A), change)
    assert memory.has("a.server.tld.", "A") == ["300 192.0.2.1"]


def test_no_changes_are_no_message() -> None:
    assert carried_out(MemoryServer(server_tld="")) == []
