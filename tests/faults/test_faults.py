"""Full disks, commands that fail or hang, two runs at once, what people do by hand: the host is as asked for, or as it was."""

from __future__ import annotations

import fnmatch
import functools
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import need
from tests.faults import harness, tracer
from tests.faults.harness import Answers, Bed, Tree, differences, mixed, privately, providers
from tests.faults.pairs import PAIRS, Pair, wrong
from tests.faults.sweep import evenly

ONE, TWO = providers("server.tld"), providers("server.tld", "other.example")
CHANGED = providers("server.tld", display_name="Another name")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
needs_tracer = pytest.mark.skipif(not tracer.is_possible(), reason="the tracer knows the calls of Linux on x86-64 alone")


def state(bed: Bed) -> tuple[Tree, Answers]:
    return bed.tree(), bed.answers()


def assert_unharmed(bed: Bed, before: tuple[Tree, Answers]) -> None:
    """The disk and the answers are as before, also after a start of Apache from what is on the disk."""
    assert differences(bed.tree(), before[0]) == []
    assert mixed(bed.answers(), before[1]) == []
    assert bed.restart() == ""
    assert mixed(bed.answers(), before[1]) == []


def assert_refused(bed: Bed, options: dict[str, Any], before: tuple[Tree, Answers]) -> str:
    """The run fails, says so, and leaves the host as it was; what it said."""
    result = bed.run(options)
    assert result.get("failed")
    assert result.get("rolled_back") is not False, result["msg"]
    assert_unharmed(bed, before)
    return str(result["msg"])


def undisturbed(bed: Bed, options: dict[str, Any], before: Tree) -> tuple[Tree, Answers]:
    """What a run makes of a host that nothing is wrong with; the host is put back."""
    bed.undo(before)
    bed.publish(options)
    made = state(bed)
    bed.undo(before)
    return made


# -- disks -----------------------------------------------------------------------------------------------------------

PLACES = ("etc/apache2", "var/www/autoconfig", "var/lib/mail_autoconfig", "var/lib/apache2")


@needs_root
@pytest.mark.parametrize("place", PLACES)
def test_a_full_disk_leaves_the_host_as_it_was(place: str, bed: Bed) -> None:
    need("mount")
    bed.publish(ONE)
    published = bed.tree()
    expected, _answers = undisturbed(bed, TWO, published)

    def with_little_space() -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=755", "tmpfs", bed.directory / place], check=True)
        bed.undo(published)
        failures = 0
        for pages in (0, 1, 2, 4, 6, 9):
            space = os.statvfs(bed.directory / place)
            ballast = bed.directory / place / "ballast"
            with ballast.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, max(space.f_bavail - pages, 1) * space.f_frsize)
            before = state(bed)
            result = bed.run(TWO)
            if result.get("failed"):
                failures += 1
                assert result.get("rolled_back") is not False, result["msg"]
                assert_unharmed(bed, before)
            ballast.unlink()
            bed.undo(published)
        assert failures or place == "var/lib/apache2"  # where Debian's commands keep notes that nobody needs
        bed.publish(TWO)
        assert differences(bed.tree(), expected) == []

    privately(with_little_space)


@needs_root
@pytest.mark.parametrize("place", PLACES[:3])
def test_a_read_only_disk_leaves_the_host_as_it_was(place: str, bed: Bed) -> None:
    need("mount")
    bed.publish(ONE)
    before = state(bed)

    def read_only() -> None:
        path = str(bed.directory / place)
        subprocess.run(["mount", "--bind", path, path], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", path], check=True)
        assert bed.restart() == ""
        assert_refused(bed, TWO, before)

    privately(read_only)


IMMUTABLE = (
    "etc/apache2/sites-enabled",
    "etc/apache2/sites-available/zz-autoconfig.server.tld.conf",
    "var/www/autoconfig/server.tld/mail/config-v1.1.xml",
    "var/lib/mail_autoconfig/manifest.json",
)


@needs_root
@pytest.mark.parametrize("path", IMMUTABLE)
def test_what_somebody_has_made_immutable_leaves_the_host_as_it_was(path: str, bed: Bed) -> None:
    """Not even root may replace it (chattr(1))."""
    need("chattr")
    bed.publish(ONE)
    before = state(bed)
    changed = {**TWO, "providers": [{**TWO["providers"][0], "display_name": "Another name"}, *TWO["providers"][1:]]}
    changed["extra_directives"] = "Timeout 50"
    protected = str(bed.directory / path)
    if subprocess.run(["chattr", "+i", protected], check=False, capture_output=True).returncode:
        pytest.skip("this file system knows no immutable files")
    try:
        result = bed.run(changed)
        assert result.get("failed")
        assert result.get("rolled_back") is not False, result["msg"]
        assert "Operation not permitted" in result["msg"]
        assert mixed(bed.answers(), before[1]) == []
    finally:
        subprocess.run(["chattr", "-i", protected], check=True)
    assert_unharmed(bed, before)
    bed.publish(changed)


# -- commands --------------------------------------------------------------------------------------------------------

CONFIGTEST = "configtest|-t"
# Once our site is enabled, so that a look at the host before any change finds nothing wrong.
AFTER_CHANGE = "ls etc/apache2/sites-enabled | grep -q autoconfig && "
HANG = "exec sleep 3600"


@pytest.mark.parametrize(
    ("command", "arguments", "script"),
    [
        pytest.param("apache2ctl", CONFIGTEST, f"{AFTER_CHANGE} exit 1", id="configtest fails"),
        pytest.param("apache2ctl", CONFIGTEST, f"{AFTER_CHANGE} {HANG}", id="configtest hangs"),
        pytest.param("apache2ctl", CONFIGTEST, HANG, id="configtest hangs from the beginning"),
        pytest.param("apache2ctl", "graceful", "[ -e failed ] || { touch failed; exit 1; }", id="reload fails"),
        pytest.param("apache2ctl", "graceful", f"[ -e failed ] || {{ touch failed; {HANG}; }}", id="reload hangs"),
        pytest.param("apache2ctl", "graceful", "[ -e failed ] || { touch failed; exit 0; }", id="reload does nothing"),
        pytest.param(
            "apache2ctl", "graceful", "[ -e failed ] || { touch failed; kill $(cat run/apache2.pid); }", id="reload kills"
        ),
        pytest.param("a2ensite", "*", "exit 1", id="a2ensite fails"),
        pytest.param("a2ensite", "*", HANG, id="a2ensite hangs"),
        pytest.param("a2ensite", "*", "exit 0", id="a2ensite does nothing"),
        pytest.param("a2enmod", "*", "exit 1", id="a2enmod fails"),
        pytest.param("a2enmod", "*", "exit 0", id="a2enmod does nothing"),
    ],
)
def test_a_command_that_fails_leaves_the_host_as_it_was_or_is_not_needed(
    command: str, arguments: str, script: str, bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    if HANG in script:
        monkeypatch.setenv("COMMAND_SECONDS", "15")
    before = state(bed)
    expected = undisturbed(bed, ONE, before[0])
    bed.fake(command, arguments, script)
    result = bed.run(ONE)
    assert bed.hanging() == []
    if result.get("failed"):
        assert result.get("rolled_back") is not False, result["msg"]
        assert_unharmed(bed, before)
    else:
        # A run may do without a command, but not say that all is well when it is not.
        assert differences(bed.tree(), expected[0]) == []
        assert mixed(bed.answers(), expected[1]) == []


def test_what_only_a_reload_would_tell_does_not_take_apache_away(bed: Bed) -> None:
    bed.fake("apache2ctl", CONFIGTEST, "exit 0")
    assert_refused(bed, {**ONE, "extra_directives": "NoSuchDirective on"}, state(bed))


def test_a_rollback_leaves_what_others_have_enabled_meanwhile(bed: Bed) -> None:
    available = bed.apache.config_directory / "sites-available"
    shutil.copy(available / "shop.example.conf", available / "admin.conf")
    before = state(bed)
    site = "ln -s ../sites-available/admin.conf etc/apache2/sites-enabled"
    module = "ln -s ../mods-available/rewrite.load etc/apache2/mods-enabled"
    bed.fake("apache2ctl", "graceful", f"{site} && {{ {module}; exit 1; }}")
    result = bed.run(ONE)
    assert result.get("failed")
    made = {"etc/apache2/sites-enabled/admin.conf", "etc/apache2/mods-enabled/rewrite.load"}
    assert set(differences(bed.tree(), before[0])) == made
    assert mixed(bed.answers(), before[1]) == []


# -- others at the same time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAIRS)
def test_two_runs_at_once_are_both_right_in_the_end(name: str, bed: Bed) -> None:
    pair = Pair(bed, *PAIRS[name])
    assert [text for number in range(3) for text in wrong(pair, number)] == []


@needs_tracer
def test_a_run_that_does_not_end_is_named_to_the_next_one(bed: Bed) -> None:
    expected = undisturbed(bed, ONE, bed.tree())
    points: list[tracer.Point] = []
    bed.trace(ONE, points.append)
    bed.undo()
    results: list[dict[str, Any]] = []

    def at(point: tracer.Point) -> None:
        if point.number == len(points) // 2:
            before = bed.tree()
            results.append({**bed.run({**providers("other.example"), "lock_timeout": 5}), "module": point.module})
            results[0]["off"] = differences(bed.tree(), before)

    _status, result, _left = bed.trace(ONE, at)
    assert results[0].get("failed")
    assert str(results[0]["module"]) in results[0]["msg"]
    assert results[0]["off"] == []
    bed.settle(result)
    assert differences(bed.tree(), expected[0]) == []


@needs_tracer
@pytest.mark.parametrize(
    ("target", "start"),
    [
        pytest.param("var/www/*/mail/config-v1.1.xml", ONE, id="document"),
        pytest.param("var/www/*/mail/config-v1.1.xml", None, id="new document"),
        pytest.param("etc/apache2/sites-available/*autoconfig.server.tld.conf", None, id="new site"),
    ],
)
def test_what_somebody_writes_meanwhile_is_not_overwritten_without_a_word(
    target: str, start: dict[str, Any] | None, bed: Bed
) -> None:
    if start:
        bed.publish(start)
    before = bed.tree()
    wanted = CHANGED if start else ONE
    made, _answers = undisturbed(bed, wanted, before)
    name = next(name for name in made if fnmatch.fnmatch(name, target))
    path = bed.directory / name
    points: list[tracer.Point] = []
    bed.trace(wanted, points.append)
    last = next((point.number for point in points if point.call.endswith(f" {path}")), len(points))
    foreign = b"# somebody was here\n"

    def write(point: tracer.Point, number: int) -> None:
        if point.number == number:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(foreign)

    for chosen in evenly(points[: last - 1], 6):
        bed.undo(before)
        _status, result, _left = bed.trace(wanted, functools.partial(write, number=chosen.number))
        kept = [node for node in bed.tree().values() if node.content == foreign]
        told = name in str(result.get("warnings")) or str(path) in str(result.get("msg"))
        assert kept or told, f"written at {chosen.number}, {chosen.call}"
        assert start or kept, f"written at {chosen.number}, {chosen.call}"


# -- by hand ---------------------------------------------------------------------------------------------------------


def one(bed: Bed, pattern: str) -> Path:
    """A file of ours."""
    return next(path for path in sorted(bed.directory.glob(pattern)))


def append(pattern: str) -> Callable[[Bed], object]:
    return lambda bed: one(bed, pattern).write_bytes(one(bed, pattern).read_bytes() + b"\n# edited\n")


def unlink(pattern: str) -> Callable[[Bed], object]:
    return lambda bed: one(bed, pattern).unlink()


def change_mode(pattern: str, mode: int) -> Callable[[Bed], object]:
    return lambda bed: one(bed, pattern).chmod(mode)


def change_owner(pattern: str) -> Callable[[Bed], object]:
    return lambda bed: shutil.chown(one(bed, pattern), "www-data", "www-data")


def disable_module(name: str) -> Callable[[Bed], object]:
    return lambda bed: [path.unlink() for path in bed.directory.glob(f"etc/apache2/mods-enabled/{name}.*")]


DOCUMENT, SITE = "var/www/**/mail/config-v1.1.xml", "etc/apache2/sites-available/*autoconfig.server.tld.conf"
SCRIPT, LINK = "etc/apache2/**/*.lua", "etc/apache2/sites-enabled/*autoconfig.server.tld.conf"
DRIFT: dict[str, Callable[[Bed], object]] = {
    "document edited": append(DOCUMENT),
    "document removed": unlink(DOCUMENT),
    "document's mode": change_mode(DOCUMENT, 0o600),
    "document's owner": change_owner(DOCUMENT),
    "directory's mode": change_mode("var/www/autoconfig/server.tld", 0o700),
    "root's mode": change_mode("var/www/autoconfig", 0o750),
    "directory's owner": change_owner("var/www/autoconfig/server.tld"),
    "site edited": append(SITE),
    "site broken": lambda bed: one(bed, SITE).write_text("NoSuchDirective on\n"),
    "site removed": unlink(SITE),
    "site's mode": change_mode(SITE, 0o600),
    "site disabled": unlink(LINK),
    "script edited": append(SCRIPT),
    "script removed": unlink(SCRIPT),
    **{f"{name} disabled": disable_module(name) for name in ("lua", "headers", "setenvif", "alias", "ssl")},
}


@pytest.mark.parametrize("name", DRIFT)
def test_what_was_changed_by_hand_is_foreseen_and_mended(name: str, bed: Bed) -> None:
    if "owner" in name and os.geteuid() != 0:
        pytest.skip("only root may change owners")
    bed.publish(ONE)
    before = state(bed)
    DRIFT[name](bed)
    drifted = bed.tree()
    foreseen = bed.run(ONE, check=True)
    assert not foreseen.get("failed"), foreseen["msg"]
    assert differences(bed.tree(), drifted) == []
    done = bed.publish(ONE)
    for key in ("changed", "changed_files", "enabled"):
        assert foreseen[key] == done[key]
    assert done["changed"]
    assert differences(bed.tree(), before[0]) == []
    assert mixed(bed.answers(), before[1]) == []
    assert not bed.run(ONE)["changed"]
    assert bed.restart() == ""


@pytest.mark.parametrize("state_", ["present", "absent"])
def test_a_deleted_certificate_locks_nobody_out(state_: str, bed: Bed) -> None:
    bed.publish(ONE)
    shutil.rmtree(bed.directory / "live/server.tld")
    bed.publish({**ONE, "state": state_})
    assert bed.restart() == ""
    answer = bed.answers()[f"GET http://autoconfig.server.tld{harness.CONFIG}"]
    assert answer[0] == 200 if state_ == "present" else answer == harness.NOTHING


# -- the manifest ----------------------------------------------------------------------------------------------------


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "lost": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "NUL": lambda path: path.write_bytes(b"\0" * 100),
    "nesting": lambda path: path.write_bytes(b'{"version": 1, "providers": ' + b"[" * 200_000),
    "other JSON": lambda path: path.write_bytes(b'{"version": 1, "providers": {"server.tld": {"files": 1}}}'),
    "newer": lambda path: path.write_bytes(b'{"version": 999, "providers": {}}'),
    "directory": lambda path: (path.unlink(), path.mkdir()),
    "link": _link,
    "dangling link": lambda path: (path.unlink(), path.symlink_to("nowhere")),
    "FIFO": lambda path: (path.unlink(), os.mkfifo(path)),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_manifest_is_named_and_everything_found_again(name: str, bed: Bed) -> None:
    bed.publish(ONE)
    before = state(bed)
    path = bed.apache.state_directory / "manifest.json"
    DAMAGES[name](path)
    damaged = bed.tree()
    result = bed.run(ONE)
    if result.get("failed"):
        assert differences(bed.tree(), damaged) == []
        assert name == "lost" or str(path) in result["msg"]
        assert name != "newer" or "newer" in result["msg"]
        shutil.rmtree(path) if name == "directory" else path.unlink(missing_ok=True)
        bed.publish({**ONE, "adopt": True})
    else:
        bed.settle(result)
    # Which directories it has made nobody can tell any more.
    allowed = ("/elsewhere", ".before-mail_autoconfig", "/manifest.json")
    assert [item for item in differences(bed.tree(), before[0]) if not item.endswith(allowed)] == []
    after = json.loads(path.read_text())
    assert (after["version"], list(after["providers"])) == (2, ["(all)", "server.tld"])
    assert mixed(bed.answers(), before[1]) == []
    assert not bed.run(ONE)["changed"]


# -- places ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["old", "new"])
def test_a_document_root_that_was_moved_behind_a_link_keeps_its_documents(option: str, bed: Bed) -> None:
    bed.publish(ONE)
    answers = bed.answers()
    old, new = bed.apache.document_root, bed.directory / "srv/autoconfig"
    old.rename(new)
    old.symlink_to(new)
    options = {**ONE, "document_root": str(old if option == "old" else new)}
    bed.publish(options)
    assert mixed(bed.answers(), answers) == []
    assert bed.restart() == ""
    assert mixed(bed.answers(), answers) == []
    assert not bed.run(options)["changed"]


@pytest.mark.parametrize("shared", ["state_directory", "document_root"])
def test_two_instances_do_not_destroy_each_others_sites(shared: str, bed: Bed) -> None:
    bed.publish(ONE)
    before = state(bed)
    path = str(bed.apache.module_options()[shared])
    with harness.bed() as second:
        options = {**CHANGED, shared: path}
        result = second.run(options)
        if not result.get("failed"):
            second.settle(result)
            assert second.answers()[f"GET https://autoconfig.server.tld{harness.CONFIG}"][0] == 200
        assert not bed.run(ONE)["changed"]
        assert mixed(bed.answers(), before[1]) == []
        assert result.get("failed") or not second.run(options)["changed"]
        assert not result.get("failed") or path in result["msg"]
