"""The manifest: what was written is read again, in both versions, and what is damaged is never taken for a manifest."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import manifest as manifests
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.certificates import Certificate
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.dns.remembered import Group, Pattern
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.files import File, Kind, digest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.manifest import (
    Holding,
    Manifest,
    ManifestError,
    Owned,
    in_between,
    moved,
    read,
    write,
)
from hypothesis import given
from hypothesis import strategies as st

SITE = "/etc/apache2/sites-available/autoconfig.server.tld.conf"
DOCUMENT = "/var/www/autoconfig/server.tld/mail/config-v1.1.xml"
MANIFEST = Manifest(
    "/etc/apache2",
    {
        "server.tld": Holding(
            ("server.tld", "other.example"),
            {SITE: Owned(Kind.CONFIGURATION, ("aa",)), DOCUMENT: Owned(Kind.DOCUMENT, ("bb", "cc"))},
            {"sites": ("autoconfig.server.tld",), "conf": ()},
            certificates=(Certificate("/tls/server.tld.pem", "/tls/server.tld.key"),),
            records=(Group((Pattern("autoconfig.%EMAILDOMAIN%.", "A", "192.0.2.1"),), ("other.example", "server.tld")),),
        ),
        "(all)": Holding((), {}, {"sites": ("autoconfig-default",)}, "server.tld"),
    },
    ("/var/www/autoconfig",),
    {"/etc/apache2/conf-available/autoconfig.server.tld-01234567.lua": Owned(Kind.SCRIPT, ("dd",))},
    (Certificate("/tls/former.pem", "/tls/former.key"),),
    (Group((Pattern("_imaps._tcp.%EMAILDOMAIN%.", "SRV", "0 1 993 mail.tld."),), ("former.tld",)),),
)


def changed(**fields: t.Any) -> bytes:
    """The manifest above with other fields."""
    return json.dumps({**json.loads(write(MANIFEST)), **fields}).encode()


def with_provider(**fields: t.Any) -> bytes:
    """The manifest above with other fields of its provider."""
    data = json.loads(write(MANIFEST))
    data["providers"]["server.tld"].update(fields)
    return json.dumps(data).encode()


# -- written and read ---------------------------------------------------------------------------------------------------


def test_what_was_written_is_read() -> None:
    assert read(write(MANIFEST)) == MANIFEST
    assert read(write(Manifest())) == Manifest()


def test_the_order_of_providers_and_files_does_not_change_the_bytes() -> None:
    holding = MANIFEST.providers["server.tld"]
    turned = dataclasses.replace(holding, files=dict(reversed(list(holding.files.items()))))
    one, other = ({"a": holding, "b": holding}, {"b": turned, "a": turned})
    assert write(Manifest("/etc/apache2", one)) == write(Manifest("/etc/apache2", other))


_names = st.text(st.characters(codec="utf-8"), max_size=8)
_paths = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8).map("/{}".format)
_owned = st.dictionaries(_paths, st.builds(Owned, st.sampled_from(Kind), st.lists(_names, max_size=2).map(tuple)), max_size=3)
_lists = st.lists(_names, max_size=2).map(tuple)
_pairs = st.lists(st.builds(Certificate, _paths, _paths), max_size=2).map(tuple)
_patterns = st.lists(st.builds(Pattern, _names, _names, _names), max_size=2).map(tuple)
_groups = st.lists(st.builds(Group, _patterns, _lists), max_size=2).map(tuple)
_enabled = st.dictionaries(st.sampled_from(["conf", "sites"]), _lists)
_holdings = st.builds(Holding, _lists, _owned, _enabled, _names, _pairs, _groups)
_providers = st.dictionaries(_names, _holdings, max_size=2)


@given(st.builds(Manifest, _paths, _providers, st.lists(_paths).map(tuple), _owned, _pairs, _groups))
def test_any_manifest_is_read_as_it_was_written(manifest: Manifest) -> None:
    assert read(write(manifest)) == manifest


def test_version_1_had_no_kinds_and_no_instance() -> None:
    files = {
        path: ["aa", "bb"]
        for path in (SITE, DOCUMENT, "/a/x.lua", "/a/x.html", "/a/x.json", "/a/x.mobileconfig", "/etc/bind/x.zone", "/etc/bind/x")
    }
    entry = {"domains": ["server.tld"], "enabled": {"sites": ["autoconfig.server.tld"]}, "files": files}
    found = read(json.dumps({"version": 1, "providers": {"server.tld": entry}}).encode())
    assert (found.instance, found.directories, found.retired) == ("", (), {})
    holding = found.providers["server.tld"]
    assert {owned.digests for owned in holding.files.values()} == {("aa", "bb")}
    assert [owned.kind for owned in holding.files.values()] == [
        *(Kind.CONFIGURATION, Kind.DOCUMENT, Kind.SCRIPT, Kind.DOCUMENT, Kind.DOCUMENT, Kind.DOCUMENT, Kind.ZONE, Kind.ZONE)
    ]
    assert holding.enabled == {"sites": ("autoconfig.server.tld",)}


def test_what_an_earlier_release_has_written_is_read() -> None:
    text = b"""{
 "directories": ["/var/www/autoconfig"],
 "instance": "/etc/apache2",
 "providers": {
  "(all)": {"domains": [], "enabled": {"sites": ["autoconfig-default"]}, "files": {}, "of": "server.tld"},
  "server.tld": {
   "domains": ["server.tld"],
   "enabled": {"conf": [], "sites": ["autoconfig.server.tld"]},
   "files": {
    "/a": {"digests": ["a1", "a2"], "kind": "document"},
    "/b": {"digests": ["b"], "kind": "configuration"},
    "/c": {"digests": ["c"], "kind": "script"}
   }
  }
 },
 "retired": {"/d": {"digests": ["d"], "kind": "zone"}},
 "version": 2
}
"""
    found = read(text)
    assert found == Manifest(
        "/etc/apache2",
        {
            "(all)": Holding((), {}, {"sites": ("autoconfig-default",)}, "server.tld"),
            "server.tld": Holding(
                ("server.tld",),
                {
                    "/a": Owned(Kind.DOCUMENT, ("a1", "a2")),
                    "/b": Owned(Kind.CONFIGURATION, ("b",)),
                    "/c": Owned(Kind.SCRIPT, ("c",)),
                },
                {"conf": (), "sites": ("autoconfig.server.tld",)},
            ),
        },
        ("/var/www/autoconfig",),
        {"/d": Owned(Kind.ZONE, ("d",))},
    )
    # And a release of that time reads what this one writes.
    assert json.loads(write(found)) == json.loads(text)
    # To the octet, or an upgrade would write it anew on every host.
    assert write(found).decode() == json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n"


def test_a_newer_version_is_named_rather_than_called_damaged() -> None:
    with pytest.raises(ManifestError, match=r"^a newer release of the collection wrote it \(version 3, this one knows 2\)$"):
        read(changed(version=3, providers=[]))


# -- damaged ------------------------------------------------------------------------------------------------------------

DAMAGED = {
    "nothing": b"",
    "no JSON": b"<manifest/>",
    "cut off": write(MANIFEST)[:-20],
    "zeros": b"\0" * 100,
    "no UTF-8": b"\xff\xfe{}",
    "a surrogate in a path": with_provider(files={"/a\ud800": {"kind": "document", "digests": []}}),
    "nested deeply": b"[" * 200_000,
    "nested deeply within": b'{"version": 2, "providers": ' + b'{"a": ' * 100_000,
    "a list": b"[]",
    "a number": b"2",
    "null": b"null",
    "no version": b'{"providers": {}}',
    "version 0": changed(version=0),
    "a version in words": changed(version="2"),
    "half of a pair": changed(obsolete=[["/tls/x.pem"]]),
    "a record without data": changed(obsolete_records=[{"domains": ["a.tld"], "patterns": [["a", "A"]]}]),
    "records of nobody": with_provider(records=[{"patterns": []}]),
    "a record of numbers": with_provider(records=[{"domains": ["a.tld"], "patterns": [[1, 2, 3]]}]),
    "a pair that is no path": with_provider(certificates=[["x", "/y"]]),
    "no providers": b'{"version": 2}',
    "a list of providers": changed(providers=[]),
    "a provider that is a list": changed(providers={"server.tld": []}),
    "no domains": changed(providers={"server.tld": {"files": {}, "enabled": {}}}),
    "domains as a string": with_provider(domains="server.tld"),
    "domains as numbers": with_provider(domains=[1]),
    "files as a list": with_provider(files=[SITE]),
    "a relative path": with_provider(files={"etc/passwd": {"kind": "document", "digests": []}}),
    "NUL in a path": with_provider(files={"/etc/a\0b": {"kind": "document", "digests": []}}),
    "no digests": with_provider(files={SITE: {"kind": "document"}}),
    "digests as a string": with_provider(files={SITE: {"kind": "document", "digests": "aa"}}),
    "digests of version 1 as a string": with_provider(files={SITE: "aa"}),
    "an unknown kind": with_provider(files={SITE: {"kind": "socket", "digests": []}}),
    "a kind that is a list": with_provider(files={SITE: {"kind": [], "digests": []}}),
    "no file entry": with_provider(files={SITE: None}),
    "enabled as a list": with_provider(enabled=["autoconfig.server.tld"]),
    "an owner that is a list": with_provider(of=[]),
    "enabled names as a string": with_provider(enabled={"sites": "autoconfig.server.tld"}),
    "an instance that is a number": changed(instance=2),
    "NUL in the instance": changed(instance="/etc/\0"),
    "directories as a string": changed(directories="/var/www/autoconfig"),
    "a relative directory": changed(directories=["var"]),
    "NUL in a directory": changed(directories=["/var\0"]),
    "retired as a list": changed(retired=[DOCUMENT]),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_damaged_is_said_to_be(name: str) -> None:
    with pytest.raises(ManifestError) as caught:
        read(DAMAGED[name])
    assert str(caught.value).startswith(("it is damaged (", "it has no version that is known"))
    assert len(str(caught.value)) < 300


@given(st.integers(0, len(write(MANIFEST)) - 1), st.integers(0, 255))
def test_any_octet_may_change_without_another_error(position: int, octet: int) -> None:
    content = bytearray(write(MANIFEST))
    content[position] = octet
    try:
        read(bytes(content))
    except ManifestError:
        return


# -- all that is ours ---------------------------------------------------------------------------------------------------


def test_files_are_those_of_all_providers_and_those_that_are_retired() -> None:
    assert set(MANIFEST.files) == {SITE, DOCUMENT, "/etc/apache2/conf-available/autoconfig.server.tld-01234567.lua"}
    both = Manifest(providers={"a": Holding(enabled={"sites": ("x",)}), "b": Holding(enabled={"sites": ("y",), "conf": ("z",)})})
    assert (both.named("sites"), both.named("conf"), both.named("mods")) == ({"x", "y"}, {"z"}, set())


def test_what_a_provider_shall_have_is_noted_with_kinds_and_digests() -> None:
    found = manifests.holding_of(("server.tld",), [File("/a", b"a", Kind.ZONE)], {"sites": ("b",)})
    assert found == Holding(("server.tld",), {"/a": Owned(Kind.ZONE, (digest(b"a"),))}, {"sites": ("b",)})


def test_files_are_followed_to_where_their_directories_lead() -> None:
    found = moved(MANIFEST, lambda path: path.replace("/var/www", "/srv").replace("conf-available", "conf-moved"))
    assert set(found.files) == {
        SITE,
        DOCUMENT.replace("/var/www", "/srv"),
        "/etc/apache2/conf-moved/autoconfig.server.tld-01234567.lua",
    }
    assert found.files[DOCUMENT.replace("/var/www", "/srv")] == MANIFEST.files[DOCUMENT]
    assert found.providers["server.tld"].domains == MANIFEST.providers["server.tld"].domains


# -- while files are replaced -------------------------------------------------------------------------------------------


def holding(path: str, *digests: str, domain: str = "server.tld", site: str = "one") -> Holding:
    return Holding((domain,), {path: Owned(Kind.DOCUMENT, digests)}, {"sites": (site,)})


def test_in_between_a_file_may_be_the_old_one_or_the_new_one() -> None:
    before, after = (Manifest("/etc/apache2", {"a": holding("/x", digest)}) for digest in ("old", "new"))
    assert in_between(before, after).files == {"/x": Owned(Kind.DOCUMENT, ("old", "new"))}
    assert in_between(after, after) == after


def test_in_between_what_goes_is_still_ours() -> None:
    before = Manifest("", {"a": holding("/x", "old"), "b": holding("/y", "kept")}, ("/made",), {"/z": Owned(Kind.SCRIPT, ("s",))})
    after = Manifest("/etc/apache2", {"a": holding("/w", "new", domain="other.tld", site="two")}, ("/new",))
    found = in_between(before, after)
    assert set(found.files) == {"/w", "/x", "/y", "/z"}
    assert found.providers["a"].domains == ("other.tld", "server.tld")
    assert found.providers["a"].enabled == {"sites": ("one", "two")}
    assert (found.instance, found.directories) == ("/etc/apache2", ("/made", "/new"))


@pytest.mark.parametrize(("giver", "taker"), [("a", "b"), ("b", "a")])
def test_in_between_a_file_that_moves_to_another_provider_has_both_digests(giver: str, taker: str) -> None:
    before, after = Manifest("", {giver: holding("/x", "old")}), Manifest("", {taker: holding("/x", "new")})
    # As the next run finds it after a kill.
    found = read(write(in_between(before, after)))
    assert sorted(found.files["/x"].digests) == ["new", "old"]


def test_both_pairs_count_as_used_in_between() -> None:
    old, new = (Certificate(f"/tls/{name}.pem", f"/tls/{name}.key") for name in ("old", "new"))
    before, after = (Manifest("/etc/apache2", {"a": Holding(("a",), certificates=(pair,))}) for pair in (old, new))
    assert in_between(before, dataclasses.replace(after, obsolete=(old,))).certificates == {old, new}


def test_in_between_the_records_of_before_and_after_are_known() -> None:
    def having(kind: str) -> Holding:
        return Holding(("a.tld",), records=(Group((Pattern("autoconfig.%EMAILDOMAIN%.", kind, "x"),), ("a.tld",)),))

    before, after = Manifest("", {"a": having("A")}), Manifest("", {"a": having("CNAME")})
    after = dataclasses.replace(after, obsolete_records=before.providers["a"].records)
    found = in_between(before, after)
    assert {group.patterns[0].type for group in found.providers["a"].records} == {"A", "CNAME"}
    assert found.obsolete_records == after.obsolete_records
