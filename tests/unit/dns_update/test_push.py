"""From the options to the changed zones, with a name server in memory: what is done, and what is said when it is not."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

import dns.rcode
import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns import push, records
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns.server import NameServer

from tests.unit.dns_update.name_server import MemoryServer

Options = dict[str, t.Any]
Report = dict[str, t.Any]

UNKNOWN = "whether the zone was changed is not known, the next run will see"


def record(owner: str, kind: str = "A", rdata: str = "192.0.2.80") -> Options:
    return {"owner": f"{owner}.", "type": kind, "ttl": 300, "rdata": rdata}


def run(
    memory: MemoryServer,
    *entries: Options,
    between: Callable[[MemoryServer], None] = lambda memory: None,
    is_check: bool = False,
    **more: t.Any,
) -> list[Report]:
    """What the module does, with something happening between reading and writing."""
    options = {"server": "ns", "key_name": "k", "key_secret": "c2VjcmV0", "records": list(entries), **more}
    server = NameServer(memory)
    plans = push.prepare(records.read(options), server).plans
    between(memory)
    return push.foretell(plans) if is_check else push.push(plans, server)


def failure(memory: MemoryServer, *entries: Options, **more: t.Any) -> str:
    """Why the one zone has failed that has."""
    (failed,) = filter(None, (report["failed"] for report in run(memory, *entries, **more)))
    return str(failed)


def three_zones() -> tuple[MemoryServer, list[Options]]:
    return MemoryServer(a_tld="", b_tld="", c_tld=""), [record(f"autoconfig.{zone}.tld") for zone in "cab"]


# -- what is done -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zones", [[], ["c.tld", "a.tld", "b.tld"]], ids=["found", "given"])
def test_each_zone_gets_its_records_and_a_second_run_sends_nothing(zones: list[str]) -> None:
    memory, entries = three_zones()
    reports = run(memory, *entries, record("_imaps._tcp.a.tld", "SRV", "0 1 993 mail.a.tld."), zones=zones)
    assert [(report["zone"], report["added"]) for report in reports] == [
        ("a.tld.", ["_imaps._tcp.a.tld. SRV", "autoconfig.a.tld. A"]),
        ("b.tld.", ["autoconfig.b.tld. A"]),
        ("c.tld.", ["autoconfig.c.tld. A"]),
    ]
    assert memory.has("autoconfig.b.tld.", "A") == ["300 192.0.2.80"]
    assert len(memory.updates) == 3
    again = run(memory, *entries, zones=zones)
    assert [report["changed"] for report in again] == [False, False, False]
    assert len(memory.updates) == 3


def test_absent_takes_away_what_is_ours_and_keeps_the_rest() -> None:
    memory = MemoryServer(server_tld="autoconfig 300 A 192.0.2.80\nautodiscover 300 A 192.0.2.9\n")
    entries = [record("autoconfig.server.tld"), record("autodiscover.server.tld"), record("other.server.tld")]
    (report,) = run(memory, *entries, state="absent")
    assert (report["removed"], report["kept"]) == (["autoconfig.server.tld. A"], ["autodiscover.server.tld. A"])
    assert memory.has("autoconfig.server.tld.", "A") == []
    assert memory.has("autodiscover.server.tld.", "A") == ["300 192.0.2.9"]


def test_a_zone_that_is_given_and_has_no_record_of_ours_is_not_asked_for() -> None:
    memory = MemoryServer(server_tld="")
    (report,) = run(memory, record("a.server.tld"), zones=["server.tld", "elsewhere.tld"])
    assert report["zone"] == "server.tld."


def test_the_inner_of_two_given_zones_gets_the_records_below_it() -> None:
    memory = MemoryServer(server_tld="", sub_server_tld="")
    entries = [record("a.server.tld"), record("a.sub.server.tld")]
    reports = run(memory, *entries, zones=["server.tld", "sub.server.tld"])
    assert [(report["zone"], report["added"]) for report in reports] == [
        ("server.tld.", ["a.server.tld. A"]),
        ("sub.server.tld.", ["a.sub.server.tld. A"]),
    ]


def test_a_record_of_an_inner_zone_is_not_put_into_the_outer() -> None:
    memory = MemoryServer(server_tld="", sub_server_tld="")
    assert failure(memory, record("a.server.tld"), record("a.sub.server.tld"), zones=["server.tld"]) == (
        "a.sub.server.tld. lies in the zone sub.server.tld. of ns, not in server.tld."
    )
    assert memory.updates == []


# -- what is obsolete -----------------------------------------------------------------------------------------------------


def prepared(memory: MemoryServer, *entries: Options, **more: t.Any) -> push.Prepared:
    options = {"server": "ns", "key_name": "k", "key_secret": "c2VjcmV0", "records": list(entries), **more}
    return push.prepare(records.read(options), NameServer(memory))


def test_what_is_obsolete_goes_in_the_same_update_and_is_told() -> None:
    memory = MemoryServer(server_tld="autoconfig 300 A 192.0.2.80\nimap 300 A 192.0.2.9\nold 60 A 192.0.2.80\n")
    alias = record("autoconfig.server.tld", "CNAME", "www.tld.")
    obsolete = [record(f"{name}.server.tld") for name in ("autoconfig", "imap", "old", "never")]
    plans = prepared(memory, alias, obsolete=obsolete).plans
    (report,) = reports = push.push(plans, NameServer(memory))
    assert (report["added"], report["failed"]) == (["autoconfig.server.tld. CNAME"], "")
    assert (report["removed"], report["kept"]) == (["autoconfig.server.tld. A", "old.server.tld. A"], ["imap.server.tld. A"])
    assert len(memory.updates) == 1
    assert [str(rrset) for rrset in push.gone(plans, reports)] == [
        "autoconfig.server.tld. A",
        "old.server.tld. A",
        "never.server.tld. A",
    ]
    (again,) = run(memory, alias, obsolete=obsolete)
    assert (again["changed"], len(memory.updates)) == (False, 1)
    # And back.
    (back,) = run(memory, record("autoconfig.server.tld"), obsolete=[alias])
    assert (back["added"], back["removed"]) == (["autoconfig.server.tld. A"], ["autoconfig.server.tld. CNAME"])


@pytest.mark.parametrize("zones", [[], ["a.tld"], ["a.tld", "x.tld"]], ids=["found", "not given", "missing"])
def test_of_obsolete_records_without_a_zone_nothing_is_said(zones: list[str]) -> None:
    memory, _entries = three_zones()
    found = prepared(memory, record("a.a.tld"), obsolete=[record("a.x.tld"), record("b.a.tld")], zones=zones)
    assert [str(rrset) for rrset in found.left] == ["a.x.tld. A"]
    reports = push.push(found.plans, NameServer(memory))
    assert [(report["zone"], report["failed"]) for report in reports] == [("a.tld.", "")]
    assert [str(rrset) for rrset in push.gone(found.plans, reports)] == ["b.a.tld. A"]


@pytest.mark.parametrize("zones", [{"server_tld": "", "sub_server_tld": ""}, {"server_tld": "sub NS ns.elsewhere.tld.\n"}])
def test_what_is_obsolete_and_lies_in_another_zone_by_now_keeps_no_record_of_its_own(zones: dict[str, str]) -> None:
    memory = MemoryServer(**zones)
    obsolete = [record("a.sub.server.tld"), record("old.server.tld")]
    found = prepared(memory, record("a.server.tld"), obsolete=obsolete, zones=["server.tld"])
    assert [str(rrset) for rrset in found.left] == ["a.sub.server.tld. A"]
    (report,) = reports = push.push(found.plans, NameServer(memory))
    assert (report["added"], report["failed"]) == (["a.server.tld. A"], "")
    assert [str(rrset) for rrset in push.gone(found.plans, reports)] == ["old.server.tld. A"]


def test_a_zone_that_cannot_be_read_fails_with_what_is_obsolete_in_it() -> None:
    memory = MemoryServer(a_tld="", b_tld="old A 192.0.2.1\n")
    memory.rcodes.update(dict.fromkeys(("old.a.tld.", "old.b.tld.", "new.b.tld."), dns.rcode.SERVFAIL))
    obsolete = [record("old.a.tld"), record("old.b.tld"), record("older.b.tld")]
    found = prepared(memory, record("new.b.tld"), obsolete=obsolete, zones=["a.tld", "b.tld"])
    reports = push.push(found.plans, NameServer(memory))
    assert [report["failed"] for report in reports] == [
        f"ns, asked for {name}., could not carry it out (SERVFAIL); its log says why" for name in ("old.a.tld", "new.b.tld")
    ]
    assert push.gone(found.plans, reports) == []


def test_of_a_zone_that_fails_nothing_is_said_to_be_gone() -> None:
    memory, entries = three_zones()
    memory.rcodes["b.tld."] = dns.rcode.REFUSED
    plans = prepared(memory, *entries, obsolete=[record(f"old.{zone}.tld") for zone in "abc"]).plans
    reports = push.push(plans, NameServer(memory))
    assert [str(rrset) for rrset in push.gone(plans, reports)] == ["old.a.tld. A", "old.c.tld. A"]


# -- zones that cannot be changed, and keep no other --------------------------------------------------------------------


def done(reports: list[Report]) -> list[str]:
    """The zones that were changed."""
    return [report["zone"] for report in reports if report["changed"]]


@pytest.mark.parametrize("is_check", [False, True])
def test_a_zone_that_is_not_there_fails_alone(is_check: bool) -> None:
    memory, entries = three_zones()
    wrong = [record("a.x.tld"), record("a.y.tld"), record("b.y.tld")]
    reports = run(memory, *entries, *wrong, zones=["a.tld", "b.tld", "c.tld", "x.tld", "y.tld"], is_check=is_check)
    assert {report["zone"]: report["failed"] for report in reports if report["failed"]} == {
        "x.tld.": "ns has no zone x.tld. (REFUSED)",
        "y.tld.": "ns has no zone y.tld. (REFUSED)",
    }
    assert done(reports) == ["a.tld.", "b.tld.", "c.tld."]
    assert len(memory.updates) == (0 if is_check else 3)
    assert push.summary(reports) == (
        "2 of 5 zones failed, and the others are as wanted:\n"
        "zone x.tld.: ns has no zone x.tld. (REFUSED)\n"
        "zone y.tld.: ns has no zone y.tld. (REFUSED)"
    )


def test_owners_without_a_zone_fail_together() -> None:
    memory, entries = three_zones()
    reports = run(memory, *entries, *(record(f"a{number}.x.tld") for number in range(7)))
    (failed,) = [report for report in reports if report["failed"]]
    assert failed["zone"] == ""
    assert failed["failed"].startswith("a0.x.tld.: ns has no zone for it (REFUSED); a1.x.tld.: ")
    assert failed["failed"].endswith("; and 2 more")
    assert done(reports) == ["a.tld.", "b.tld.", "c.tld."]
    assert push.summary(reports).startswith("1 of 4 zones failed, and the others are as wanted:\nzone (none): a0.x.tld.: ns")


def test_what_is_in_the_way_in_a_zone_stops_that_one_as_a_whole() -> None:
    memory, entries = three_zones()
    memory.put("autoconfig.b.tld.", "CNAME", "x.tld.")
    reports = run(memory, *entries, record("autodiscover.b.tld"))
    assert done(reports) == ["a.tld.", "c.tld."]
    assert reports[1]["failed"].startswith("autoconfig.b.tld. A: the server has CNAME at autoconfig.b.tld.")
    assert memory.has("autodiscover.b.tld.", "A") == []


def test_a_zone_that_cannot_be_read_fails_alone() -> None:
    memory, entries = three_zones()
    memory.rcodes["autoconfig.b.tld."] = dns.rcode.SERVFAIL
    reports = run(memory, *entries, zones=["a.tld", "b.tld", "c.tld"])
    assert done(reports) == ["a.tld.", "c.tld."]
    assert reports[1]["failed"] == "ns, asked for autoconfig.b.tld., could not carry it out (SERVFAIL); its log says why"


def test_of_very_many_zones_that_fail_some_are_named() -> None:
    reports = run(MemoryServer(), *(record(f"a.d{number}.tld") for number in range(25)), zones=[f"d{n}.tld" for n in range(25)])
    lines = push.summary(reports).splitlines()
    assert (lines[0], len(lines), lines[-1]) == ("25 of 25 zones failed:", 22, "and 5 more zones")
    assert push.summary(run(*three_zones()[:1], *three_zones()[1])) == ""


# -- servers that say yes -----------------------------------------------------------------------------------------------


def test_a_server_that_says_yes_and_does_nothing_is_found_out() -> None:
    memory, entries = three_zones()
    memory.ignores_updates = True
    assert [report["failed"] for report in run(memory, *entries)] == [
        "the server carried out the update, but 1 record sets are not as wanted: "
        f"autoconfig.{zone}.tld. A: expected 192.0.2.80 (TTL 300), found none"
        for zone in "abc"
    ]


def test_the_zones_that_are_as_wanted_are_reported_beside_one_that_is_not() -> None:
    memory, entries = three_zones()
    memory.put("autoconfig.c.tld.", "A", "192.0.2.80", ttl=300)  # nothing to do

    def lose_b(server: MemoryServer) -> None:
        if server.updates:
            server.ignores_updates = True

    memory.before_update = lose_b
    reports = run(memory, *entries)
    assert "but 1 record sets are not as wanted: autoconfig.b.tld. A: " in reports[1]["failed"]
    assert [(report["changed"], bool(report["failed"])) for report in reports] == [(True, False), (True, True), (False, False)]


def test_many_record_sets_that_are_not_as_wanted_are_counted_and_some_named() -> None:
    memory = MemoryServer(server_tld="")
    memory.ignores_updates = True
    error = failure(memory, *(record(f"a{number}.server.tld") for number in range(7)))
    assert "but 7 record sets are not as wanted" in error
    assert error.count("expected") == push.SHOWN


def test_an_update_that_cannot_be_read_back_is_said_to_be_done_and_unseen() -> None:
    memory, entries = three_zones()

    def break_down(server: MemoryServer) -> None:
        server.rcodes["autoconfig.a.tld."] = dns.rcode.SERVFAIL

    memory.before_update = break_down
    assert failure(memory, *entries) == (
        "the update was carried out, but could not be read back: "
        "ns, asked for autoconfig.a.tld., could not carry it out (SERVFAIL); its log says why"
    )


def test_updates_that_cannot_be_read_back_because_the_server_is_gone_are_all_said_to_be_done_and_unseen() -> None:
    memory, entries = three_zones()

    def go(server: MemoryServer) -> None:
        if len(server.updates) == 2:
            server.is_gone = True

    memory.before_update = go
    reports = run(memory, *entries)
    assert done(reports) == ["a.tld.", "b.tld.", "c.tld."]
    unseen = "the update was carried out, but could not be read back: ns port 53 cannot be reached"
    assert [report["failed"] for report in reports] == [unseen] * 3


def test_where_nothing_was_to_do_nothing_is_read_back() -> None:
    memory = MemoryServer(server_tld="a 300 A 192.0.2.80\n")

    def break_down(server: MemoryServer) -> None:
        server.rcodes["a.server.tld."] = dns.rcode.SERVFAIL

    (report,) = run(memory, record("a.server.tld"), between=break_down)
    assert report["changed"] is False


# -- servers that say no ------------------------------------------------------------------------------------------------


def test_a_zone_that_is_refused_keeps_no_other() -> None:
    memory, entries = three_zones()
    memory.rcodes["b.tld."] = dns.rcode.REFUSED
    reports = run(memory, *entries)
    assert done(reports) == ["a.tld.", "c.tld."]
    assert reports[1]["failed"].startswith("ns, asked to change the zone, refused it (REFUSED)")
    assert memory.has("autoconfig.c.tld.", "A") == ["300 192.0.2.80"]
    # Of the second run only that one is left to do.
    del memory.rcodes["b.tld."]
    assert done(run(memory, *entries)) == ["b.tld."]


def test_where_the_server_is_gone_the_rest_is_not_tried() -> None:
    memory, entries = three_zones()

    def go(server: MemoryServer) -> None:
        if server.updates:
            server.loses, server.is_gone = "update", True

    memory.before_update = go
    memory.put("autoconfig.d.a.tld.", "A", "192.0.2.80", ttl=300)
    reports = run(memory, *entries)
    assert [report["failed"].partition(":")[0] for report in reports] == [
        "the update was carried out, but could not be read back",
        "ns closed the connection without an answer; ns port 53 cannot be reached; whether the zone was changed is not known, "
        "the next run will see",
        "it was not tried, because before it",
    ]
    assert len(memory.updates) == 1


def test_of_a_zone_that_needs_several_updates_the_part_that_is_done_is_reported() -> None:
    memory = MemoryServer(server_tld="")
    data = " ".join(['"' + 250 * "x" + '"'] * 150)
    entries = [record(f"t{number}.server.tld", "TXT", data) for number in range(3)]

    def refuse_the_second(server: MemoryServer) -> None:
        if server.updates:
            server.rcodes["server.tld."] = dns.rcode.SERVFAIL

    memory.before_update = refuse_the_second
    (report,) = run(memory, *entries)
    assert report["failed"].startswith("ns, asked to change the zone, could not carry it out (SERVFAIL)")
    assert report["added"] == ["t0.server.tld. TXT"]
    assert memory.has("t1.server.tld.", "TXT") == []


# -- changes in between, and answers that are lost ----------------------------------------------------------------------


def test_what_somebody_changed_in_between_is_named_and_stays() -> None:
    memory = MemoryServer(server_tld="a 60 A 192.0.2.1\nb 60 A 192.0.2.1\n")

    def somebody(server: MemoryServer) -> None:
        server.put("a.server.tld.", "A", "192.0.2.77")

    error = failure(memory, record("a.server.tld"), record("b.server.tld"), between=somebody)
    assert error == (
        "somebody changed it between our reading and writing, so that nothing was changed (NXRRSET): "
        "a.server.tld. A: expected 192.0.2.1 (TTL 60), found 192.0.2.77 (TTL 60); run again"
    )
    assert memory.has("a.server.tld.", "A") == ["60 192.0.2.77"]
    assert memory.has("b.server.tld.", "A") == ["60 192.0.2.1"]


def test_a_change_in_between_that_is_gone_again_is_said_without_names() -> None:
    memory = MemoryServer(server_tld="")
    memory.before_update = lambda server: server.put("a.server.tld.", "A", "192.0.2.77")
    original = memory.tell

    def tell(message: t.Any) -> t.Any:
        answer = original(message)
        for zone in memory.zones.values():
            zone.delete_node("a.server.tld.")
        return answer

    memory.tell = tell  # type: ignore[method-assign]
    error = failure(memory, record("a.server.tld"))
    assert error.endswith("nothing was changed (YXRRSET): which records is not to be seen any more; run again")


def test_at_most_some_changes_in_between_are_named() -> None:
    memory = MemoryServer(server_tld="")

    def somebody(server: MemoryServer) -> None:
        for number in range(7):
            server.put(f"a{number}.server.tld.", "A", "192.0.2.77")

    error = failure(memory, *(record(f"a{number}.server.tld") for number in range(7)), between=somebody)
    assert error.count("expected none") == push.SHOWN


def test_a_change_in_between_after_which_the_server_does_not_answer_is_not_known() -> None:
    memory = MemoryServer(server_tld="")

    def somebody(server: MemoryServer) -> None:
        server.put("a.server.tld.", "A", "192.0.2.77")
        server.rcodes["a.server.tld."] = dns.rcode.SERVFAIL

    error = failure(memory, record("a.server.tld"), between=somebody)
    assert "answered YXRRSET; ns, asked for a.server.tld., could not carry it out (SERVFAIL)" in error
    assert error.endswith(UNKNOWN)


def test_an_update_whose_answer_is_lost_is_found_to_be_done() -> None:
    memory = MemoryServer(server_tld="")
    memory.loses = "answer"
    (report,) = run(memory, record("a.server.tld"))
    assert report["added"] == ["a.server.tld. A"]
    assert len(memory.updates) == 1


def test_an_update_that_is_lost_is_not_sent_again() -> None:
    memory = MemoryServer(server_tld="")
    memory.loses = "update"
    error = failure(memory, record("a.server.tld"))
    assert error == (
        "ns closed the connection without an answer; when it was read again, the update was not carried out, or not yet"
    )


def test_an_update_that_is_lost_with_its_server_is_not_known() -> None:
    memory = MemoryServer(server_tld="")
    memory.loses = "answer"

    def break_down(server: MemoryServer) -> None:
        server.rcodes["a.server.tld."] = dns.rcode.SERVFAIL

    memory.before_update = break_down
    error = failure(memory, record("a.server.tld"))
    assert error.startswith("ns closed the connection without an answer; ns, asked for a.server.tld., ")
    assert error.endswith(UNKNOWN)
