"""The way from what is there to what is wanted, without touching anything."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import plan
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.plan import (
    ABSENT,
    Current,
    Desired,
    FileState,
    Holding,
    Plan,
    digest,
)
from hypothesis import given
from hypothesis import strategies as st

DOCUMENT = "/var/www/autoconfig/server.tld/mail/config-v1.1.xml"
SITE = "/etc/apache2/sites-available/autoconfig.server.tld.conf"
SCRIPT = "/etc/apache2/conf-available/autoconfig.server.tld-well-known.lua"
WANTED = Desired(
    "server.tld", ("server.tld",), {DOCUMENT: b"<document/>", SITE: b"# site\n"}, {"sites": ("autoconfig.server.tld",)}
)
EMPTY = Current({}, {}, {})


def there(content: bytes, mode: int = 0o644) -> FileState:
    return FileState("file", content, mode)


def published(*desired: Desired, **changes: t.Any) -> Current:
    """A host on which an earlier run has made all that."""
    current = Current(
        files={path: there(content) for item in desired for path, content in item.files.items()},
        enabled={
            "mods": ("alias", "headers"),
            **{kind: tuple(name for item in desired for name in item.enabled.get(kind, ())) for kind in ("conf", "sites")},
        },
        manifest={item.provider: item.holding() for item in desired},
    )
    return dataclasses.replace(current, **changes)


def make(current: Current, *desired: Desired, dropped: t.Collection[str] = (), adopt: bool = False) -> Plan:
    return plan.make(desired, dropped, ("alias", "headers"), current, adopt)


def files(current: Current, **states: FileState) -> Current:
    """The same with other files; by the names of the constants above."""
    names = {"document": DOCUMENT, "site": SITE, "script": SCRIPT}
    return dataclasses.replace(current, files={**current.files, **{names[name]: state for name, state in states.items()}})


# -- create, change, remove ---------------------------------------------------------------------------------------------


def test_on_an_empty_host_everything_is_made_and_enabled() -> None:
    result = make(EMPTY, WANTED)
    assert result.write == WANTED.files
    assert result.enable == {"mods": ("alias", "headers"), "conf": (), "sites": ("autoconfig.server.tld",)}
    assert not any(result.disable.values())
    assert (result.remove, result.adopt, result.problems, result.warnings) == ((), (), (), ())
    assert result.manifest == {"server.tld": WANTED.holding()}
    assert result.changes
    assert result.manifest_changes
    assert result.needs_reload


def test_on_a_finished_host_there_is_nothing_to_do() -> None:
    result = make(published(WANTED), WANTED)
    assert not result.changes
    assert not result.needs_reload
    assert not result.write
    assert not any((*result.enable.values(), *result.disable.values()))
    assert result.problems == result.warnings == ()


def test_a_changed_document_needs_no_reload_and_a_changed_site_does() -> None:
    document = dataclasses.replace(WANTED, files={**WANTED.files, DOCUMENT: b"<new/>"})
    result = make(published(WANTED), document)
    assert result.write == {DOCUMENT: b"<new/>"}
    assert result.changes
    assert not result.needs_reload
    site = dataclasses.replace(WANTED, files={**WANTED.files, SITE: b"# new\n"})
    result = make(published(WANTED), site)
    assert result.write == {SITE: b"# new\n"}
    assert result.needs_reload


def test_a_changed_script_needs_a_reload() -> None:
    before = dataclasses.replace(WANTED, files={**WANTED.files, SCRIPT: b"-- old"})
    after = dataclasses.replace(WANTED, files={**WANTED.files, SCRIPT: b"-- new"})
    assert make(published(before), after).needs_reload


def test_what_is_wanted_no_more_is_removed_and_disabled() -> None:
    before = dataclasses.replace(
        WANTED,
        files={**WANTED.files, SCRIPT: b"-- script"},
        enabled={"sites": ("autoconfig.server.tld", "autoconfig.server.tld-ssl"), "conf": ("autoconfig.server.tld-well-known",)},
    )
    result = make(published(before), WANTED)
    assert result.remove == (SCRIPT,)
    assert result.disable == {"conf": ("autoconfig.server.tld-well-known",), "sites": ("autoconfig.server.tld-ssl",)}
    assert not any(result.enable.values())
    assert result.manifest == {"server.tld": WANTED.holding()}
    assert result.needs_reload


def test_a_dropped_provider_goes_and_the_others_stay() -> None:
    other = Desired("other.tld", ("other.tld",), {"/o.xml": b"o"}, {"sites": ("autoconfig.other.tld",)})
    result = make(published(WANTED, other), dropped=["server.tld"])
    assert result.remove == tuple(sorted([DOCUMENT, SITE]))
    assert result.disable["sites"] == ("autoconfig.server.tld",)
    assert result.manifest == {"other.tld": other.holding()}


def test_a_provider_of_an_earlier_run_that_is_not_named_stays() -> None:
    other = Desired("other.tld", ("other.tld",), {"/o.xml": b"o"}, {"sites": ("autoconfig.other.tld",)})
    result = make(published(WANTED, other), WANTED)
    assert not result.changes
    assert result.manifest == {"server.tld": WANTED.holding(), "other.tld": other.holding()}


def test_a_provider_that_is_not_there_can_be_dropped() -> None:
    result = make(EMPTY, dropped=["server.tld"])
    assert result.remove == ()
    assert not any(result.disable.values())


def test_a_path_that_moves_to_another_provider_is_not_removed() -> None:
    taken = Desired("other.tld", ("server.tld",), WANTED.files, WANTED.enabled)
    result = make(published(WANTED), taken, dropped=["server.tld"])
    assert result.problems == ()
    assert result.remove == ()
    assert not result.write
    assert not any((*result.enable.values(), *result.disable.values()))
    assert result.manifest == {"other.tld": taken.holding()}


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
    assert result.write == {SITE: b"# site\n"}
    assert result.warnings == ()


def test_a_wrong_mode_is_put_right() -> None:
    result = make(files(published(WANTED), document=there(b"<document/>", 0o600)), WANTED)
    assert result.write == {DOCUMENT: b"<document/>"}


# -- what others made ---------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_ours_is_refused_by_name() -> None:
    result = make(files(EMPTY, site=there(b"# theirs\n"), document=there(b"<theirs/>")), WANTED)
    assert [problem.partition(":")[0] for problem in result.problems] == sorted([SITE, DOCUMENT])
    assert all("set adopt: true" in problem for problem in result.problems)
    assert result.write == {}


def test_adoption_is_never_taken_for_granted() -> None:
    assert plan.make([WANTED], [], [], files(EMPTY, site=there(b"# theirs\n"))).problems


def test_a_file_that_is_not_ours_is_adopted_on_request() -> None:
    result = make(files(EMPTY, site=there(b"# theirs\n")), WANTED, adopt=True)
    assert result.problems == ()
    assert result.adopt == (SITE,)
    assert result.write == WANTED.files


def test_a_foreign_file_with_our_content_is_ours_from_now_on() -> None:
    result = make(files(EMPTY, site=there(b"# site\n")), WANTED)
    assert result.problems == ()
    assert result.adopt == ()
    assert list(result.write) == [DOCUMENT]
    assert SITE in result.manifest["server.tld"].files


@pytest.mark.parametrize("adopt", [False, True])
def test_what_is_no_file_is_never_replaced(adopt: bool) -> None:
    result = make(files(EMPTY, document=FileState("other")), WANTED, adopt=adopt)
    assert result.problems == (f"{DOCUMENT}: is not a regular file, and one of ours belongs there: move it away",)
    assert DOCUMENT not in result.write


def test_a_file_of_ours_that_became_a_link_is_refused() -> None:
    result = make(files(published(WANTED), site=FileState("other")), WANTED)
    assert result.problems == (f"{SITE}: is not a regular file, and one of ours belongs there: move it away",)


def test_a_file_of_ours_that_somebody_edited_is_put_back_with_a_warning() -> None:
    result = make(files(published(WANTED), site=there(b"# edited\n")), WANTED)
    assert result.problems == ()
    assert result.write == {SITE: b"# site\n"}
    assert result.warnings == (f"{SITE} was changed by somebody since the last run; it is put back",)


def test_a_file_of_ours_that_somebody_edited_is_not_removed() -> None:
    result = make(files(published(WANTED), site=there(b"# edited\n")), dropped=["server.tld"])
    assert result.remove == (DOCUMENT,)
    assert result.warnings == (f"{SITE} was changed by somebody since the last run; it is kept, remove it by hand",)
    assert result.disable["sites"] == ("autoconfig.server.tld",)
    assert result.manifest == {}


@pytest.mark.parametrize("state", [FileState("other"), there(b"edited")])
def test_what_somebody_put_in_the_place_of_a_file_of_ours_is_kept(state: FileState) -> None:
    result = make(files(published(WANTED), document=state), dropped=["server.tld"])
    assert result.remove == (SITE,)
    assert len(result.warnings) == 1


def test_a_file_that_is_gone_already_is_no_matter() -> None:
    result = make(files(published(WANTED), document=ABSENT), dropped=["server.tld"])
    assert result.remove == (SITE,)
    assert result.warnings == ()


def test_a_link_of_somebody_else_in_the_place_of_ours_is_refused() -> None:
    current = Current({}, {"sites": ("autoconfig.server.tld",)}, {}, foreign_links={"sites": ("autoconfig.server.tld", "x")})
    assert make(current, WANTED).problems == (
        "sites-enabled/autoconfig.server.tld.conf is there and is not a link to our file: move it away",
    )


def test_a_domain_of_a_provider_of_an_earlier_run_is_claimed() -> None:
    old = Desired("old.tld", ("server.tld", "old.tld"), {"/old.xml": b"old"}, {})
    result = make(published(old), WANTED)
    assert result.problems == (
        "provider server.tld: server.tld is served on this host by provider old.tld of an earlier run; name that provider "
        "too, or remove it with purge: true",
    )
    assert make(published(old), WANTED, dropped=["old.tld"]).problems == ()
    without = dataclasses.replace(old, domains=("old.tld",))
    assert make(published(old), WANTED, without).problems == ()


# -- reload -------------------------------------------------------------------------------------------------------------


def test_a_reload_that_was_cut_off_is_still_due() -> None:
    result = make(published(WANTED, reload_pending=True), WANTED)
    assert not result.changes
    assert result.needs_reload


# -- the manifest -------------------------------------------------------------------------------------------------------

_names = st.text("abc./-é", min_size=1, max_size=6)
_manifests = st.dictionaries(
    _names,
    st.builds(
        Holding,
        st.lists(_names, max_size=2).map(tuple),
        st.dictionaries(_names, st.lists(st.text("0123456789abcdef", min_size=4, max_size=4), max_size=2).map(tuple), max_size=2),
        st.dictionaries(st.sampled_from(["sites", "conf"]), st.lists(_names, max_size=2).map(tuple), max_size=2),
    ),
    max_size=3,
)


@given(_manifests)
def test_a_manifest_is_read_as_it_was_written(manifest: plan.Manifest) -> None:
    content = plan.manifest_bytes(manifest)
    assert plan.read_manifest(content) == manifest
    assert plan.manifest_bytes(plan.read_manifest(content)) == content
    assert content.endswith(b"}\n")


def test_a_manifest_is_the_same_whatever_the_order_of_its_providers() -> None:
    first, second = Holding(("a",)), Holding(("b",))
    assert plan.manifest_bytes({"a": first, "b": second}) == plan.manifest_bytes({"b": second, "a": first})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"version": 2, "providers": {}}',
        b"\xff",
        b'{"version": 1}',
        b'{"version": 1, "providers": {"a": {}}}',
        b'{"version": 1, "providers": {"a": {"domains": [], "files": [], "enabled": {}}}}',
        b'{"version": 1, "providers": []}',
    ],
)
def test_a_damaged_manifest_raises(content: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        plan.read_manifest(content)


def test_while_a_run_is_under_way_old_and_new_content_are_ours() -> None:
    other = Desired("other.tld", ("other.tld",), {"/o.xml": b"o"}, {"sites": ("o",)})
    before = dataclasses.replace(WANTED, files={**WANTED.files, SCRIPT: b"-- old"}, enabled={"sites": ("old",)})
    after = dataclasses.replace(
        WANTED, domains=("new.tld",), files={DOCUMENT: b"<new/>", SITE: b"# site\n"}, enabled={"sites": ("new",), "conf": ("c",)}
    )
    current = published(before, other)
    merged = plan.in_between(make(current, after, dropped=["other.tld"]), current)
    assert set(merged) == {"server.tld", "other.tld"}
    assert merged["other.tld"] == other.holding()
    holding = merged["server.tld"]
    assert set(holding.domains) == {"server.tld", "new.tld"}
    assert holding.files == {
        DOCUMENT: (digest(b"<document/>"), digest(b"<new/>")),
        SITE: (digest(b"# site\n"),),
        SCRIPT: (digest(b"-- old"),),
    }
    assert holding.enabled == {"conf": ("c",), "sites": ("old", "new")}


# -- the diff -----------------------------------------------------------------------------------------------------------


def test_the_diff_shows_files_whole_and_what_is_switched() -> None:
    after = dataclasses.replace(WANTED, files={DOCUMENT: b"<new/>"}, enabled={"conf": ("c",)})
    current = published(WANTED)
    assert plan.diffs(make(current, after), current) == [
        {"before_header": SITE, "after_header": SITE, "before": "# site\n", "after": ""},
        {"before_header": DOCUMENT, "after_header": DOCUMENT, "before": "<document/>", "after": "<new/>"},
        {"before_header": "conf enabled", "after_header": "conf enabled", "before": "", "after": "c\n"},
        {"before_header": "sites enabled", "after_header": "sites enabled", "before": "autoconfig.server.tld\n", "after": ""},
    ]


def test_nothing_to_do_is_no_diff() -> None:
    current = published(WANTED)
    assert plan.diffs(make(current, WANTED), current) == []


def test_what_is_no_text_is_shown_all_the_same() -> None:
    current = files(EMPTY, site=there(b"\xff\x00"))
    (entry,) = [entry for entry in plan.diffs(make(current, WANTED, adopt=True), current) if entry["before_header"] == SITE]
    assert entry["before"] == "\ufffd\x00"
    json.dumps(entry)


def test_a_long_diff_is_cut_and_says_so() -> None:
    many = dataclasses.replace(WANTED, files={f"/{number:03}.xml": b"x" for number in range(plan.MAX_DIFFS + 7)})
    entries = plan.diffs(make(EMPTY, many), EMPTY)
    shown = [entry for entry in entries if entry.get("before_header", "").startswith("/")]
    assert len(shown) == plan.MAX_DIFFS
    assert {"prepared": "(7 more files are not shown)\n"} in entries
    exactly = dataclasses.replace(WANTED, files={f"/{number:03}.xml": b"x" for number in range(plan.MAX_DIFFS)}, enabled={})
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
        found.append(Desired(provider, tuple(mine["domains"]), content, {"sites": tuple(sorted(mine["sites"]))}))
    return found


_states = st.one_of(st.just(ABSENT), st.builds(there, _CONTENTS, st.sampled_from([0o644, 0o600])), st.just(FileState("other")))
_currents = st.builds(
    Current,
    st.fixed_dictionaries(dict.fromkeys(_PATHS, _states)),
    st.fixed_dictionaries({"sites": _SITES, "mods": st.lists(st.sampled_from(["alias", "php8"]), unique=True)}),
    _desired().map(lambda items: {item.provider: item.holding() for item in items}),
)


def carried_out(result: Plan, current: Current) -> Current:
    """The host after the plan."""
    after = {**current.files, **{path: there(content) for path, content in result.write.items()}}
    after.update(dict.fromkeys(result.remove, ABSENT))
    enabled = {
        kind: (set(current.enabled.get(kind, ())) | set(result.enable.get(kind, ()))) - set(result.disable.get(kind, ()))
        for kind in ("mods", "conf", "sites")
    }
    return dataclasses.replace(current, files=after, enabled=enabled, manifest=result.manifest)


@given(_desired(), _currents, st.booleans(), st.booleans())
def test_after_the_plan_is_carried_out_there_is_nothing_to_do(
    desired: list[Desired], current: Current, adopt: bool, purge: bool
) -> None:
    dropped = set(current.manifest) - {item.provider for item in desired} if purge else set()
    result = make(current, *desired, dropped=dropped, adopt=adopt)
    if result.problems:
        return
    after = carried_out(result, current)
    for item in desired:
        for path, content in item.files.items():
            assert after.files[path] == there(content)
        assert set(item.enabled["sites"]) <= set(after.enabled["sites"])
    again = make(after, *desired, dropped=dropped)
    assert not again.changes
    assert again.problems == ()
    assert again.warnings == ()


@given(_desired(), _currents, st.booleans())
def test_no_plan_touches_what_is_not_ours(desired: list[Desired], current: Current, purge: bool) -> None:
    dropped = set(current.manifest) - {item.provider for item in desired} if purge else set()
    result = make(current, *desired, dropped=dropped)
    ours = {path: digests for holding in current.manifest.values() for path, digests in holding.files.items()}
    for path in result.remove:
        content = current.files[path].content
        assert content is not None
        assert digest(content) in ours[path]
    for path in result.write:
        state = current.files[path]
        assert state.kind != "other"
        assert state.kind == "absent" or path in ours or state.content == result.write[path]
    had = {name for holding in current.manifest.values() for name in holding.enabled.get("sites", ())}
    assert set(result.disable.get("sites", ())) <= had
