"""The way from what is there to what is wanted, without touching anything."""

from __future__ import annotations

import dataclasses
import json
import os
import typing as t

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import plan
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.certificates import Certificate
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.files import File, Kind, digest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.findings import Findings
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.manifest import Manifest, Owned
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.plan import (
    ABSENT,
    Current,
    Desired,
    FileState,
    Plan,
)
from hypothesis import given
from hypothesis import strategies as st

DOCUMENT = "/var/www/autoconfig/server.tld/mail/config-v1.1.xml"
SITE = "/etc/apache2/sites-available/autoconfig.server.tld.conf"
SCRIPT = "/etc/apache2/conf-available/autoconfig.server.tld-well-known.lua"
ZONE = "/etc/bind/server.tld.zone"
INSTANCE = "/etc/apache2"
EMPTY_ZONE = b"; empty\n"
PAIR = "/var/lib/mail_autoconfig/certificates/server.tld-01234567.key"
COPY = "/var/lib/mail_autoconfig/signing/profiles.server.tld.pem"
_KINDS = {".key": Kind.CERTIFICATE, ".conf": Kind.CONFIGURATION, ".lua": Kind.SCRIPT, ".zone": Kind.ZONE}


def made(contents: t.Mapping[str, bytes]) -> tuple[File, ...]:
    """Files of the kind that their names have in these tests."""
    return tuple(File(path, content, _KINDS.get(os.path.splitext(path)[1], Kind.DOCUMENT)) for path, content in contents.items())


def desired(
    provider: str, domains: tuple[str, ...], contents: t.Mapping[str, bytes], enabled: t.Mapping[str, tuple[str, ...]]
) -> Desired:
    return Desired(provider, domains, made(contents), enabled)


CONTENTS = {DOCUMENT: b"<document/>", SITE: b"# site\n"}
WANTED = desired("server.tld", ("server.tld",), CONTENTS, {"sites": ("autoconfig.server.tld",)})
EMPTY = Current({}, {}, Manifest(INSTANCE))


def contents(plan_: Plan) -> dict[str, bytes]:
    """What is to be written, by path."""
    return {path: file.content for path, file in plan_.write.items()}


def with_files(item: Desired, **changes: bytes) -> Desired:
    """The same with other contents, by the names of the constants above."""
    names = {"document": DOCUMENT, "site": SITE, "script": SCRIPT, "zone": ZONE}
    before = {file.path: file.content for file in item.files}
    return dataclasses.replace(item, files=made({**before, **{names[name]: content for name, content in changes.items()}}))


def holdings(*items: Desired) -> Manifest:
    return Manifest(INSTANCE, {item.provider: item.holding() for item in items})


def there(content: bytes, mode: int = 0o644) -> FileState:
    return FileState("file", content, mode)


def published(*desired: Desired, **changes: t.Any) -> Current:
    """A host on which an earlier run has made all that."""
    current = Current(
        files={file.path: there(file.content) for item in desired for file in item.files},
        enabled={
            "mods": ("alias", "headers"),
            **{kind: tuple(name for item in desired for name in item.enabled.get(kind, ())) for kind in ("conf", "sites")},
        },
        manifest=holdings(*desired),
    )
    return dataclasses.replace(current, **changes)


def make(
    current: Current,
    *desired: Desired,
    dropped: t.Collection[str] = (),
    adopt: bool = False,
    removable: t.Collection[str] | None = (),
) -> Plan:
    modules = ("alias", "headers")
    return plan.make(desired, dropped, modules, current, INSTANCE, adopt, EMPTY_ZONE, removable=removable)


def files(current: Current, **states: FileState) -> Current:
    """The same with other files; by the names of the constants above."""
    names = {"document": DOCUMENT, "site": SITE, "script": SCRIPT, "zone": ZONE}
    return dataclasses.replace(current, files={**current.files, **{names[name]: state for name, state in states.items()}})


# -- create, change, remove ---------------------------------------------------------------------------------------------


def test_on_an_empty_host_everything_is_made_and_enabled() -> None:
    result = make(EMPTY, WANTED)
    assert contents(result) == CONTENTS
    assert result.enable == {"mods": ("alias", "headers"), "conf": (), "sites": ("autoconfig.server.tld",)}
    assert not any(result.disable.values())
    assert (result.remove, result.adopt, result.findings.problems, result.findings.warnings) == ((), (), (), ())
    assert result.manifest == holdings(WANTED)
    assert result.changes
    assert result.needs_reload


def test_on_a_finished_host_there_is_nothing_to_do() -> None:
    result = make(published(WANTED), WANTED)
    assert not result.changes
    assert not result.needs_reload
    assert not result.write
    assert not any((*result.enable.values(), *result.disable.values()))
    assert result.findings.problems == result.findings.warnings == ()


def test_a_changed_document_needs_no_reload_and_a_changed_site_does() -> None:
    document = with_files(WANTED, document=b"<new/>")
    result = make(published(WANTED), document)
    assert contents(result) == {DOCUMENT: b"<new/>"}
    assert result.changes
    assert not result.needs_reload
    site = with_files(WANTED, site=b"# new\n")
    result = make(published(WANTED), site)
    assert contents(result) == {SITE: b"# new\n"}
    assert result.needs_reload


def test_a_changed_script_needs_a_reload() -> None:
    before, after = with_files(WANTED, script=b"-- old"), with_files(WANTED, script=b"-- new")
    assert make(published(before), after).needs_reload


def test_what_is_wanted_no_more_is_removed_and_disabled() -> None:
    before = dataclasses.replace(
        with_files(WANTED, script=b"-- script"),
        enabled={"sites": ("autoconfig.server.tld", "autoconfig.server.tld-ssl"), "conf": ("autoconfig.server.tld-well-known",)},
    )
    result = make(published(before), WANTED)
    assert result.remove == (SCRIPT,)
    assert result.disable == {"conf": ("autoconfig.server.tld-well-known",), "sites": ("autoconfig.server.tld-ssl",)}
    assert not any(result.enable.values())
    assert result.manifest == holdings(WANTED)
    assert result.needs_reload


def test_a_dropped_provider_goes_and_the_others_stay() -> None:
    other = desired("other.tld", ("other.tld",), {"/o.xml": b"o"}, {"sites": ("autoconfig.other.tld",)})
    result = make(published(WANTED, other), dropped=["server.tld"])
    assert result.remove == tuple(sorted([DOCUMENT, SITE]))
    assert result.disable["sites"] == ("autoconfig.server.tld",)
    assert result.manifest == holdings(other)


def test_a_provider_of_an_earlier_run_that_is_not_named_stays() -> None:
    other = desired("other.tld", ("other.tld",), {"/o.xml": b"o"}, {"sites": ("autoconfig.other.tld",)})
    result = make(published(WANTED, other), WANTED)
    assert not result.changes
    assert result.manifest == holdings(WANTED, other)


def test_a_provider_that_is_not_there_can_be_dropped() -> None:
    result = make(EMPTY, dropped=["server.tld"])
    assert result.remove == ()
    assert not any(result.disable.values())


def test_a_path_that_moves_to_another_provider_is_not_removed() -> None:
    taken = dataclasses.replace(WANTED, provider="other.tld")
    result = make(published(WANTED), taken, dropped=["server.tld"])
    assert result.findings.problems == ()
    assert result.remove == ()
    assert not result.write
    assert not any((*result.enable.values(), *result.disable.values()))
    assert result.manifest == holdings(taken)


def test_a_site_in_whose_place_ours_come_is_disabled_if_it_is_on() -> None:
    theirs = Current({}, {"sites": ("guide", "linked", "own")}, Manifest(INSTANCE), foreign_links={"sites": ("linked",)})
    result = plan.make([WANTED], (), (), theirs, adopt=True, displaced=("guide", "linked", "off"))
    assert result.disable["sites"] == ("guide",)
    assert result.remove == ()


def test_modules_are_enabled_and_never_disabled() -> None:
    current = published(WANTED, enabled={"mods": ("alias", "php8"), "sites": ("autoconfig.server.tld",)})
    result = make(current, WANTED)
    assert result.enable["mods"] == ("headers",)
    assert "mods" not in result.disable
    assert result.needs_reload


def test_a_site_that_somebody_disabled_is_enabled_again() -> None:
    current = published(WANTED, enabled={"mods": ("alias", "headers")})
    result = make(current, WANTED)
    assert result.enable["sites"] == ("autoconfig.server.tld",)
    assert not result.write


def test_a_removed_file_is_made_again() -> None:
    result = make(files(published(WANTED), site=ABSENT), WANTED)
    assert contents(result) == {SITE: b"# site\n"}
    assert result.findings.warnings == ()


def test_a_wrong_mode_is_put_right() -> None:
    result = make(files(published(WANTED), document=there(b"<document/>", 0o600)), WANTED)
    assert contents(result) == {DOCUMENT: b"<document/>"}


# -- what others made ---------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_ours_is_refused_by_name() -> None:
    result = make(files(EMPTY, site=there(b"# theirs\n"), document=there(b"<theirs/>")), WANTED)
    assert [problem.partition(":")[0] for problem in result.findings.problems] == sorted([SITE, DOCUMENT])
    assert all("set adopt: true" in problem for problem in result.findings.problems)
    assert contents(result) == {}


def test_adoption_is_never_taken_for_granted() -> None:
    assert plan.make([WANTED], [], [], files(EMPTY, site=there(b"# theirs\n"))).findings.problems


def test_a_file_that_is_not_ours_is_adopted_on_request() -> None:
    result = make(files(EMPTY, site=there(b"# theirs\n")), WANTED, adopt=True)
    assert result.findings.problems == ()
    assert result.adopt == (SITE,)
    assert contents(result) == CONTENTS


def test_a_file_that_another_instance_made_is_not_ours_although_it_says_the_same() -> None:
    """Two instances of Apache that share a document root would remove each other's documents."""
    current = files(EMPTY, document=there(b"<document/>"))
    assert [problem.partition(":")[0] for problem in make(current, WANTED).findings.problems] == [DOCUMENT]
    result = make(current, WANTED, adopt=True)
    assert (result.findings.problems, result.adopt, contents(result)) == ((), (), CONTENTS)


def test_files_of_ours_are_known_by_their_header_when_the_manifest_is_lost() -> None:
    current = dataclasses.replace(files(EMPTY, site=there(b"# ours, older\n")), ours_by_header={SITE})
    assert make(current, WANTED).findings.problems
    result = make(current, WANTED, adopt=True)
    assert (result.findings.problems, result.adopt, contents(result)) == ((), (), CONTENTS)


@pytest.mark.parametrize("adopt", [False, True])
def test_what_is_no_file_is_never_replaced(adopt: bool) -> None:
    result = make(files(EMPTY, document=FileState("other")), WANTED, adopt=adopt)
    assert result.findings.problems == (f"{DOCUMENT}: is not a regular file, and one of ours belongs there: move it away",)
    assert DOCUMENT not in result.write


def test_a_file_of_ours_that_became_a_link_is_refused() -> None:
    result = make(files(published(WANTED), site=FileState("other")), WANTED)
    assert result.findings.problems == (f"{SITE}: is not a regular file, and one of ours belongs there: move it away",)


def test_a_file_of_ours_that_somebody_edited_is_put_back_with_a_warning() -> None:
    result = make(files(published(WANTED), site=there(b"# edited\n")), WANTED)
    assert result.findings.problems == ()
    assert contents(result) == {SITE: b"# site\n"}
    assert result.findings.warnings == (f"{SITE} was changed by somebody since the last run; it is put back",)


def test_a_file_of_ours_that_somebody_edited_is_not_removed() -> None:
    result = make(files(published(WANTED), site=there(b"# edited\n")), dropped=["server.tld"])
    assert result.remove == (DOCUMENT,)
    assert result.findings.warnings == (f"{SITE} was changed by somebody since the last run; it is kept, remove it by hand",)
    assert result.disable["sites"] == ("autoconfig.server.tld",)
    assert result.manifest == Manifest()


@pytest.mark.parametrize("state", [FileState("other"), there(b"edited")])
def test_what_somebody_put_in_the_place_of_a_file_of_ours_is_kept(state: FileState) -> None:
    result = make(files(published(WANTED), document=state), dropped=["server.tld"])
    assert result.remove == (SITE,)
    assert len(result.findings.warnings) == 1


def test_a_file_that_is_gone_already_is_no_matter() -> None:
    result = make(files(published(WANTED), document=ABSENT), dropped=["server.tld"])
    assert result.remove == (SITE,)
    assert result.findings.warnings == ()


def test_a_link_of_somebody_else_in_the_place_of_ours_is_refused() -> None:
    current = Current(
        {}, {"sites": ("autoconfig.server.tld",)}, Manifest(INSTANCE), foreign_links={"sites": ("autoconfig.server.tld", "x")}
    )
    assert make(current, WANTED).findings.problems == (
        "sites-enabled/autoconfig.server.tld.conf is there and is not a link to our file: move it away",
    )


def test_a_domain_of_a_provider_of_an_earlier_run_is_claimed() -> None:
    old = desired("old.tld", ("server.tld", "old.tld"), {"/old.xml": b"old"}, {})
    result = make(published(old), WANTED)
    assert result.findings.problems == (
        "provider server.tld: server.tld is served on this host by provider old.tld of an earlier run; name that provider "
        "too, or remove it with purge: true",
    )
    assert make(published(old), WANTED, dropped=["old.tld"]).findings.problems == ()
    without = dataclasses.replace(old, domains=("old.tld",))
    assert make(published(old), WANTED, without).findings.problems == ()


def test_domains_that_a_run_leaves_out_are_refused_by_name() -> None:
    before = dataclasses.replace(WANTED, domains=("server.tld", *(f"d{number}.tld" for number in range(8))))
    (problem,) = make(published(before), WANTED).findings.problems
    assert problem.startswith(
        "provider server.tld: d0.tld, d1.tld, d2.tld, d3.tld, d4.tld, d5.tld and 2 more is served on this host and is not among"
    )
    assert "removed_domains" in problem
    assert "allow_removal: true" in problem
    moved = dataclasses.replace(WANTED, provider="other.tld", domains=before.domains[1:], files=(), enabled={})
    assert make(published(before), WANTED, moved).findings == Findings()
    assert make(published(WANTED), WANTED).findings == Findings()


def test_domains_go_when_all_may_or_when_they_are_named() -> None:
    before = dataclasses.replace(WANTED, domains=("server.tld", "a.tld", "b.tld"))
    (problem,) = make(published(before), WANTED, removable=["a.tld"]).findings.problems
    assert problem.startswith("provider server.tld: b.tld is served")
    for removable in (["a.tld", "b.tld", "never.tld"], None):
        found = make(published(before), WANTED, removable=removable).findings
        assert found.problems == ()
        assert found.warnings[0].startswith("provider server.tld: a.tld, b.tld is not among its domains any more")


def test_who_goes_as_a_whole_was_asked_for() -> None:
    other = desired("other.tld", ("other.tld", "more.tld"), {"/other.xml": b"other"}, {})
    for dropped in ([], ["other.tld"]):
        assert make(published(WANTED, other), WANTED, dropped=dropped).findings == Findings()


# -- reload -------------------------------------------------------------------------------------------------------------


def test_a_reload_that_was_cut_off_is_still_due() -> None:
    result = make(published(WANTED, reload_pending=True), WANTED)
    assert not result.changes
    assert result.needs_reload
    assert result.is_needed


# -- zone files, directories and what a cut-off run left -------------------------------------------------------------------


def test_a_zone_file_that_goes_is_left_empty_because_a_zone_may_include_it() -> None:
    before = with_files(WANTED, zone=b"records")
    result = make(published(before), WANTED)
    assert (contents(result), result.remove) == ({ZONE: EMPTY_ZONE}, ())
    assert [warning.partition(" ")[0] for warning in result.findings.warnings] == [ZONE]
    assert not result.needs_reload
    assert result.manifest == holdings(WANTED)
    # It is empty already, and ours to fill again without adopt.
    emptied = files(published(WANTED), zone=there(EMPTY_ZONE))
    assert contents(make(emptied, before)) == {ZONE: b"records"}
    assert make(emptied, before).findings.problems == ()


def test_a_zone_file_with_the_records_of_others_is_neither_written_nor_emptied() -> None:
    shared = with_files(dataclasses.replace(WANTED, provider="other.tld", domains=("other.tld",), files=()), zone=b"both")
    current = published(with_files(WANTED, zone=b"both"), shared)
    assert [problem.partition(":")[0] for problem in make(current, with_files(WANTED, zone=b"mine")).findings.problems] == [ZONE]
    result = make(current, WANTED)
    assert (result.write, result.remove) == ({}, ())
    assert result.findings.warnings[0].startswith(f"{ZONE} holds the records of other providers too")


@pytest.mark.parametrize("found", [(0o700, 0), (0o755, 33)])
def test_a_directory_of_ours_gets_its_mode_and_owner_back(found: tuple[int, int]) -> None:
    current = published(WANTED, directories={"/d": (0o755, 0), "/d/e": found})
    result = make(current, WANTED)
    assert (result.repair, result.changes, result.needs_reload) == (("/d/e",), True, False)
    assert [entry["before_header"] for entry in plan.diffs(result, current)] == ["/d/e"]


def test_a_file_of_ours_that_somebody_gave_away_is_written_again() -> None:
    stolen = dataclasses.replace(there(b"# site\n"), uid=33)
    assert contents(make(files(published(WANTED), site=stolen), WANTED)) == {SITE: b"# site\n"}


def test_what_a_cut_off_run_left_is_cleared_away() -> None:
    result = make(published(WANTED, leftovers=("/x/.mail_autoconfig-y",)), WANTED)
    assert (result.changes, result.leftovers) == (True, ("/x/.mail_autoconfig-y",))


def test_a_retired_file_stays_ours_and_alone_is_no_change() -> None:
    retired = dataclasses.replace(holdings(WANTED), retired={SCRIPT: Owned(Kind.SCRIPT, ("x",))})
    current = dataclasses.replace(published(WANTED), manifest=retired)
    assert not make(current, WANTED).changes
    wanted_again = make(files(current, script=there(b"-- script")), with_files(WANTED, script=b"-- script"))
    assert (wanted_again.manifest.retired, wanted_again.findings.problems) == ({}, ())


# -- the diff -----------------------------------------------------------------------------------------------------------


def test_the_diff_shows_files_whole_and_what_is_switched() -> None:
    after = dataclasses.replace(WANTED, files=made({DOCUMENT: b"<new/>"}), enabled={"conf": ("c",)})
    current = published(WANTED)
    assert plan.diffs(make(current, after), current) == [
        {"before_header": SITE, "after_header": SITE, "before": "# site\n", "after": ""},
        {"before_header": DOCUMENT, "after_header": DOCUMENT, "before": "<document/>", "after": "<new/>"},
        {"before_header": "conf enabled", "after_header": "conf enabled", "before": "", "after": "c\n"},
        {"before_header": "sites enabled", "after_header": "sites enabled", "before": "autoconfig.server.tld\n", "after": ""},
    ]


def test_the_diff_shows_modules_and_each_name_on_a_line_of_its_own() -> None:
    both = dataclasses.replace(WANTED, files=(), enabled={"sites": ("a", "b")})
    switched = [entry for entry in plan.diffs(make(EMPTY, both), EMPTY) if entry["before_header"].endswith(" enabled")]
    assert switched == [
        {"before_header": "mods enabled", "after_header": "mods enabled", "before": "", "after": "alias\nheaders\n"},
        {"before_header": "sites enabled", "after_header": "sites enabled", "before": "", "after": "a\nb\n"},
    ]
    current = published(both)
    (entry,) = plan.diffs(make(current, dropped=["server.tld"]), current)
    assert (entry["before"], entry["after"]) == ("a\nb\n", "")


def test_nothing_to_do_is_no_diff() -> None:
    current = published(WANTED)
    assert plan.diffs(make(current, WANTED), current) == []


def test_what_is_no_text_is_shown_all_the_same() -> None:
    current = files(EMPTY, site=there(b"\xff\x00"))
    (entry,) = [entry for entry in plan.diffs(make(current, WANTED, adopt=True), current) if entry["before_header"] == SITE]
    assert entry["before"] == "\ufffd\x00"
    json.dumps(entry)
    binary = dataclasses.replace(WANTED, files=made({DOCUMENT: b"\xff\x00"}))
    assert plan.diffs(make(EMPTY, binary), EMPTY)[0]["after"] == "\ufffd\x00"


def test_a_long_diff_is_cut_and_says_so() -> None:
    many = dataclasses.replace(WANTED, files=made({f"/{number:03}.xml": b"x" for number in range(57)}))
    entries = plan.diffs(make(EMPTY, many), EMPTY)
    shown = [entry for entry in entries if entry.get("before_header", "").startswith("/")]
    assert len(shown) == 50
    assert {"prepared": "(7 more files are not shown)\n"} in entries
    exactly = dataclasses.replace(WANTED, files=made({f"/{number:03}.xml": b"x" for number in range(50)}), enabled={})
    assert not [entry for entry in plan.diffs(make(EMPTY, exactly), EMPTY) if "prepared" in entry]


# -- any state ----------------------------------------------------------------------------------------------------------

_PATHS = ["/a.xml", "/b.xml", "/c.conf", "/d.conf", "/e.lua"]
_CONTENTS = st.sampled_from([b"1", b"2", b"3"])
_SITES = st.lists(st.sampled_from(["s1", "s2", "s3"]), unique=True, max_size=2).map(tuple)


@st.composite
def _desired(draw: st.DrawFn) -> list[Desired]:
    """Up to three providers that share neither paths, nor sites, nor domains."""
    paths, sites, domains = list(_PATHS), ["s1", "s2", "s3"], ["d1", "d2", "d3"]
    found = []
    for provider in draw(st.lists(st.sampled_from(["p1", "p2", "p3"]), unique=True, max_size=3)):
        mine = {
            kind: draw(st.lists(st.sampled_from(pool), unique=True, max_size=2))
            for kind, pool in (("paths", [*paths, "/x"]), ("sites", [*sites, "x"]), ("domains", [*domains, "x"]))
        }
        for pool, kind in ((paths, "paths"), (sites, "sites"), (domains, "domains")):
            mine[kind] = [item for item in mine[kind] if item in pool]
            pool[:] = [item for item in pool if item not in mine[kind]]
        content = {path: draw(_CONTENTS) for path in mine["paths"]}
        found.append(desired(provider, tuple(mine["domains"]), content, {"sites": tuple(sorted(mine["sites"]))}))
    return found


_states = st.one_of(st.just(ABSENT), st.builds(there, _CONTENTS, st.sampled_from([0o644, 0o600])), st.just(FileState("other")))
_currents = st.builds(
    Current,
    st.fixed_dictionaries(dict.fromkeys(_PATHS, _states)),
    st.fixed_dictionaries({"sites": _SITES, "mods": st.lists(st.sampled_from(["alias", "php8"]), unique=True)}),
    _desired().map(lambda items: holdings(*items)),
)


def carried_out(result: Plan, current: Current) -> Current:
    """The host after the plan."""
    after = {**current.files, **{path: there(file.content) for path, file in result.write.items()}}
    after.update(dict.fromkeys(result.remove, ABSENT))
    enabled = {
        kind: (set(current.enabled.get(kind, ())) | set(result.enable.get(kind, ()))) - set(result.disable.get(kind, ()))
        for kind in ("mods", "conf", "sites")
    }
    return dataclasses.replace(current, files=after, enabled=enabled, manifest=result.manifest)


@given(_desired(), _currents, st.booleans(), st.booleans())
def test_after_the_plan_is_carried_out_there_is_nothing_to_do(
    wanted: list[Desired], current: Current, adopt: bool, purge: bool
) -> None:
    dropped = set(current.manifest.providers) - {item.provider for item in wanted} if purge else set()
    result = make(current, *wanted, dropped=dropped, adopt=adopt, removable=None)
    if result.findings.problems:
        return
    after = carried_out(result, current)
    for item in wanted:
        for file in item.files:
            assert after.files[file.path] == there(file.content)
        assert set(item.enabled["sites"]) <= set(after.enabled["sites"])
    again = make(after, *wanted, dropped=dropped)
    assert not again.changes
    assert again.findings.problems == ()
    assert again.findings.warnings == ()


@given(_desired(), _currents, st.booleans())
def test_no_plan_touches_what_is_not_ours(wanted: list[Desired], current: Current, purge: bool) -> None:
    dropped = set(current.manifest.providers) - {item.provider for item in wanted} if purge else set()
    result = make(current, *wanted, dropped=dropped, removable=None)
    ours = current.manifest.files
    for path in result.remove:
        content = current.files[path].content
        assert content is not None
        assert digest(content) in ours[path].digests
    for path in result.write:
        state = current.files[path]
        assert state.kind != "other"
        assert state.kind == "absent" or path in ours
    had = current.manifest.named("sites")
    assert set(result.disable.get("sites", ())) <= had


def test_half_of_a_pair_is_readable_by_its_owner_alone_and_is_never_shown() -> None:
    one = desired("server.tld", ("server.tld",), {PAIR: b"secret"}, {})
    result = make(EMPTY, one)
    assert (result.write[PAIR].kind.mode, result.needs_reload) == (0o600, True)
    assert plan.diffs(result, EMPTY)[0] == {
        "before_header": PAIR,
        "after_header": PAIR,
        "before": "",
        "after": "(what is in it is not shown)\n",
    }
    for mode, is_written in ((0o600, False), (0o644, True)):
        current = Current({PAIR: there(b"secret", mode)}, {"mods": ("alias", "headers")}, holdings(one))
        assert bool(make(current, one).write) is is_written
    changed = dataclasses.replace(one, files=made({PAIR: b"other"}))
    gone = make(current, dropped=["server.tld"])
    assert gone.remove == (PAIR,)
    assert "secret" not in repr([plan.diffs(gone, current), plan.diffs(make(current, changed), current)])


def signs(content: bytes = b"secret", gid: int = 33) -> Desired:
    return dataclasses.replace(WANTED, files=(File(COPY, content, Kind.SIGNING, gid=gid),), enabled={})


def copy_of(content: bytes, **changes: t.Any) -> Current:
    state = dataclasses.replace(FileState("file", content, 0o640, 0, 33), **changes)
    return Current({COPY: state}, {"mods": ("alias", "headers")}, holdings(signs()))


def test_the_copy_that_signs_is_for_the_web_servers_group_and_is_never_shown() -> None:
    first = make(EMPTY, signs())
    assert (first.write[COPY].kind.mode, first.write[COPY].gid) == (0o640, 33)
    assert not make(copy_of(b"old"), signs()).needs_reload
    assert make(copy_of(b"secret"), signs()).write == {}
    for wrong in ({"mode": 0o644}, {"gid": 0}, {"uid": 7}):
        assert list(make(copy_of(b"secret", **wrong), signs()).write) == [COPY]
    # Where the group is not known any will do.
    assert make(copy_of(b"secret", gid=0), signs(gid=-1)).write == {}
    gone = make(copy_of(b"secret"), dropped=["server.tld"])
    assert gone.remove == (COPY,)
    shown = [
        plan.diffs(first, EMPTY),
        plan.diffs(gone, copy_of(b"secret")),
        plan.diffs(make(copy_of(b"old"), signs()), copy_of(b"old")),
    ]
    assert "secret" not in repr(shown)
    assert "old" not in repr(shown[2])


def test_a_copy_that_was_renewed_without_a_run_is_nobodys_change() -> None:
    renewed = make(copy_of(b"new"), signs(b"new"))
    assert (renewed.is_needed, renewed.findings.warnings) == (False, ())
    gone = make(copy_of(b"new"), dropped=["server.tld"])
    assert (gone.remove, gone.findings.warnings) == ((COPY,), ())


def test_what_our_sites_use_no_more_is_remembered_until_they_use_it_again() -> None:
    first, second = (Certificate(f"/tls/{name}.pem", f"/tls/{name}.key") for name in ("a", "b"))
    one, other = (dataclasses.replace(WANTED, certificates=(pair,)) for pair in (first, second))
    later = make(published(one), other).manifest
    assert (later.certificates, later.obsolete) == ({second}, (first,))
    again = make(dataclasses.replace(published(other), manifest=later), one).manifest
    assert (again.certificates, again.obsolete) == ({first}, (second,))
