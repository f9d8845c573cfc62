"""Planning the changes of a zone. It needs no DNS library: rdata may be anything that can be compared and shown."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns import plan as planning
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns.plan import Change, RRset
from hypothesis import given
from hypothesis import strategies as st

ZONE = "server.tld."
Nodes = dict[str, dict[str, RRset]]


def rrset(owner: str, kind: str, *rdatas: str, ttl: int = 300) -> RRset:
    return RRset(f"{owner}.{ZONE}", kind, ttl, frozenset(rdatas))


def nodes(*rrsets: RRset) -> Nodes:
    found: Nodes = {}
    for item in rrsets:
        found.setdefault(item.owner, {})[item.type] = item
    return found


def applied(plan: planning.Plan, held: Nodes) -> Nodes:
    """What a server makes of the plan."""
    after = {owner: dict(node) for owner, node in held.items()}
    for change in plan.changes:
        node = after.setdefault(change.rrset.owner, {})
        assert node.get(change.rrset.type) == change.before  # the condition of the update
        node.pop(change.rrset.type, None)
        if change.after:
            node[change.rrset.type] = change.after
    return {owner: node for owner, node in after.items() if node}


_RRSETS = st.builds(
    lambda owner, kind, rdatas, ttl: rrset(owner, kind, *rdatas, ttl=ttl),
    st.sampled_from(["a", "b", "c.a"]),
    st.sampled_from(["A", "TXT", "SRV"]),
    st.frozensets(st.sampled_from("xyz"), min_size=1),
    st.sampled_from([300, 600]),
)
_SETS = st.lists(_RRSETS, unique_by=lambda item: (item.owner, item.type), max_size=6)


@given(wanted=_SETS, held=_SETS)
def test_after_the_changes_all_is_as_wanted_and_nothing_else_has_changed(wanted: list[RRset], held: list[RRset]) -> None:
    before = nodes(*held)
    plan = planning.make(ZONE, wanted, before, "present")
    after = applied(plan, before)
    assert after == nodes(*held, *wanted)
    assert planning.make(ZONE, wanted, after, "present").changes == ()
    assert planning.differences(plan.changes, before, before=True) == []
    assert planning.differences(plan.changes, after, before=False) == []
    assert len(planning.differences(plan.changes, before, before=False)) == len(plan.changes)


@given(wanted=_SETS, held=_SETS)
def test_only_what_is_unchanged_is_removed(wanted: list[RRset], held: list[RRset]) -> None:
    before = nodes(*held)
    plan = planning.make(ZONE, wanted, before, "absent")
    after = applied(plan, before)
    ours = {(item.owner, item.type): item.rdatas for item in wanted}
    gone = [item for item in held if ours.get((item.owner, item.type)) == item.rdatas]
    assert after == nodes(*(item for item in held if item not in gone))
    assert set(plan.kept) == {item for item in held if (item.owner, item.type) in ours and item not in gone}
    assert planning.make(ZONE, wanted, after, "absent").changes == ()


@given(wanted=_SETS, obsolete=_SETS, held=_SETS)
def test_what_is_obsolete_goes_beside_what_comes(wanted: list[RRset], obsolete: list[RRset], held: list[RRset]) -> None:
    coming = {(item.owner, item.type) for item in wanted}
    obsolete = [item for item in obsolete if (item.owner, item.type) not in coming]
    before = nodes(*held)
    plan = planning.make(ZONE, wanted, before, "present", obsolete)
    after = applied(plan, before)
    there = {(item.owner, item.type): item for item in held}
    same = {(item.owner, item.type): item.rdatas for item in obsolete}
    stays = [item for key, item in there.items() if same.get(key) != item.rdatas]
    assert after == nodes(*stays, *wanted)
    assert set(plan.kept) == {item for key, item in there.items() if key in same and same[key] != item.rdatas}
    assert {(item.owner, item.type) for item in plan.gone} == set(same) - {(item.owner, item.type) for item in plan.kept}
    again = planning.make(ZONE, wanted, after, "present", obsolete)
    assert (again.changes, again.gone) == ((), plan.gone)


@pytest.mark.parametrize("is_alias", [True, False])
def test_an_alias_takes_the_place_of_what_goes_and_gives_it_back(is_alias: bool) -> None:
    data, alias = [rrset("a", kind, "x") for kind in ("A", "AAAA", "TXT")], [rrset("a", "CNAME", "y")]
    comes, goes = (alias, data) if is_alias else (data, alias)
    plan = planning.make(ZONE, comes, nodes(*goes), "present", goes)
    assert applied(plan, nodes(*goes)) == nodes(*comes)
    # Somebody else has changed one of them.
    other = planning.make(ZONE, comes, nodes(*goes[1:], rrset("a", goes[0].type, "z")), "present", goes)
    assert other.changes == other.gone == ()
    assert other.problems[0].startswith(f"a.{ZONE} {comes[0].type}: the server has {goes[0].type} at")


def test_another_ttl_is_a_change_but_no_reason_to_keep() -> None:
    ours, other = rrset("a", "A", "x"), rrset("a", "A", "x", ttl=60)
    assert planning.make(ZONE, [ours], nodes(other), "present").changes == (Change(other, ours),)
    assert planning.make(ZONE, [ours], nodes(other), "absent").changes == (Change(other, None),)


@pytest.mark.parametrize(
    ("wanted", "there", "rivals"),
    [
        ("A", ["CNAME"], "CNAME"),
        ("CNAME", ["TXT", "A"], "A, TXT"),
        ("CNAME", ["A", "RRSIG", "NSEC"], "A"),
    ],
)
def test_nothing_is_planned_beside_an_alias(wanted: str, there: list[str], rivals: str) -> None:
    plan = planning.make(ZONE, [rrset("a", wanted, "x")], nodes(*(rrset("a", kind, "y") for kind in there)), "present")
    assert plan.changes == ()
    (problem,) = plan.problems
    assert problem.startswith(f"a.{ZONE} {wanted}: the server has {rivals} at a.{ZONE}")


@pytest.mark.parametrize("there", [["CNAME"], ["CNAME", "RRSIG", "NSEC"], ["RRSIG"], []])
def test_an_alias_may_be_where_none_or_only_dnssec_is(there: list[str]) -> None:
    plan = planning.make(ZONE, [rrset("a", "CNAME", "x")], nodes(*(rrset("a", kind, "y") for kind in there)), "present")
    assert len(plan.changes) == 1
    assert plan.problems == ()


def test_the_records_of_a_domain_stand_together() -> None:
    names = ["_imaps._tcp.b", "a", "b", "_imaps._tcp.a", "autoconfig.a"]
    plan = planning.make(ZONE, [rrset(name, "A", "x") for name in names], {}, "present")
    assert [change.rrset.owner.removesuffix(f".{ZONE}") for change in plan.changes] == [
        "a",
        "_imaps._tcp.a",
        "autoconfig.a",
        "b",
        "_imaps._tcp.b",
    ]


def test_the_difference_is_that_of_a_zone_file() -> None:
    old, new = rrset("a", "A", "x", ttl=60), rrset("a", "A", "z", "y")
    plan = planning.make(ZONE, [new, rrset("b", "A", "x")], nodes(old), "present")
    assert planning.diffs([plan]) == [
        {
            "before_header": "zone server.tld.",
            "after_header": "zone server.tld.",
            "before": "a.server.tld. 60 IN A x\n",
            "after": "a.server.tld. 300 IN A y\na.server.tld. 300 IN A z\nb.server.tld. 300 IN A x\n",
        }
    ]


def test_a_long_difference_says_what_is_left_out() -> None:
    plans = [planning.make(ZONE, [rrset(f"a{number}", "A", "x") for number in range(700)], {}, "present") for _zone in range(2)]
    diffs = planning.diffs(plans)
    assert [len(diff.get("after", "").splitlines()) for diff in diffs] == [700, 300, 0]
    assert diffs[-1] == {"prepared": "(400 more record sets are not shown)\n"}


def test_the_report_names_record_sets() -> None:
    held = nodes(rrset("b", "A", "x"))
    plan = planning.make(ZONE, [rrset("a", "A", "x"), rrset("b", "A", "y")], held, "present")
    report: dict[str, t.Any] = planning.report(plan, plan.changes)
    assert report == {
        "zone": ZONE,
        "changed": True,
        "added": ["a.server.tld. A"],
        "replaced": ["b.server.tld. A"],
        "removed": [],
        "kept": [],
        "failed": "",
    }
    assert planning.report(plan, [])["changed"] is False
